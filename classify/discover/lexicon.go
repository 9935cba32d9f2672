package discover

import (
	"slices"
	"strings"

	"github.com/privet-dev/privet/classify"
)

// A meaning is what a name can say of a column.
type meaning struct {
	typ   classify.Type
	class classify.Level
	// phrases are the names, in English, German, French, Spanish, Italian,
	// Portuguese and Dutch; words of one phrase are separated by a blank.
	phrases string
	// rules are proposed in this order: the first that works on the column.
	rules []string
	// why is the reason where no rule is proposed at all.
	why string
}

// meanings is the lexicon. The longest phrase wins, then the first entry.
var meanings = []meaning{
	{typ: classify.Email, class: classify.Confidential, rules: []string{"email", "hash", "partial"},
		phrases: "email|e mail|mail|emails|email address|mail address|courriel|correo|correo electronico|adresse mail|adresse email|epost|posta elettronica"},
	{typ: classify.Phone, class: classify.Confidential, rules: []string{"phone", "hash", "partial(keep_last=2)"},
		phrases: "phone|phones|telephone|tel|mobile|cell|cellphone|fax|telefon|telefono|telefone|mobil|movil|celular|handy|handynummer|msisdn|whatsapp|phone number|phonenumber|phone no|telefonnummer|telefoonnummer|telefoon|rufnummer"},
	{typ: classify.FirstName, class: classify.Confidential, rules: []string{"first_name", "username", "hash", "partial"},
		phrases: "first name|firstname|fname|given name|givenname|forename|middle name|middlename|middle initial|vorname|prenom|voornaam|primer nombre"},
	{typ: classify.LastName, class: classify.Confidential, rules: []string{"last_name", "username", "hash", "partial"},
		phrases: "last name|lastname|lname|surname|family name|familyname|maiden name|nachname|familienname|geburtsname|nom famille|nom de famille|apellido|apellidos|cognome|sobrenome|achternaam"},
	{typ: classify.PersonName, class: classify.Confidential, rules: []string{"full_name", "username", "hash", "partial"},
		phrases: "full name|fullname|person name|display name|displayname|customer name|client name|user full name|employee name|contact name|contact person|patient name|member name|guest name|student name|author name|owner name|cardholder|cardholder name|card holder|account holder|holder name|recipient|recipient name|beneficiary|beneficiary name|billing name|shipping name|emergency contact|next of kin|nombre completo|nom complet|nome completo|ansprechpartner"},
	{typ: classify.Username, class: classify.Confidential, rules: []string{"username", "hash", "partial"},
		phrases: "username|user name|login|login name|nickname|nick|handle|screen name|benutzername|nutzername|usuario|nombre usuario|identifiant|nom utilisateur|gebruikersnaam"},
	{typ: classify.StreetAddress, class: classify.Confidential, rules: []string{"street_address", "hash", "partial"},
		phrases: "address|addr|street|street address|street name|address line|house number|strasse|hausnummer|anschrift|adresse|adresse postale|rue|direccion|calle|domicilio|indirizzo|endereco|adres|straat"},
	{typ: classify.City, class: classify.Confidential, rules: []string{"city", "hash", "partial"},
		phrases: "city|town|stadt|wohnort|ville|ciudad|citta|cidade|woonplaats|locality|place of birth|birth place|birthplace|geburtsort|lieu naissance"},
	{typ: classify.Postcode, class: classify.Confidential, rules: []string{"partial(keep_first=2)", "hash"},
		phrases: "postcode|post code|postal code|postalcode|zip|zip code|zipcode|plz|postleitzahl|code postal|codigo postal"},
	{typ: classify.Country, class: classify.Internal, why: "a country is personal only together with other columns: keep it with a reason, or mask it",
		phrases: "country|country name|pais|pays"},
	{typ: classify.Company, class: classify.Internal, rules: []string{"company", "hash", "partial"},
		phrases: "company|company name|organization name|organisation name|employer|employer name|business name|legal name|firma|firmenname|empresa|societe|entreprise|azienda|bedrijf|bedrijfsnaam"},
	{typ: classify.DateOfBirth, class: classify.Confidential, rules: []string{"date_shift(days=180)", "null"},
		phrases: "date of birth|birth date|birthdate|birthday|birth day|dob|born|born on|born at|birth year|year of birth|geburtsdatum|geburtstag|date naissance|date de naissance|fecha nacimiento|fecha de nacimiento|data nascita|data nascimento|geboortedatum"},
	{typ: classify.Gender, class: classify.Confidential, why: "gender describes a person: null, constant(…), or keep it with a reason",
		phrases: "gender|sex|geschlecht|sexe|sexo|sesso|geslacht"},
	{typ: classify.CardNumber, class: classify.Restricted, rules: []string{"fpe(keep_last=4)", "hash", "partial(keep_last=4)"},
		phrases: "card|card number|cardnumber|card no|card num|credit card|creditcard|credit card number|cc number|cc num|ccnumber|debit card|debit card number|pan|kartennummer|kreditkarte|numero carte|numero tarjeta|tarjeta"},
	{typ: classify.IBAN, class: classify.Restricted, rules: []string{"partial(keep_last=4)", "hash"},
		phrases: "iban|iban number"},
	{typ: classify.BankAccount, class: classify.Restricted, rules: []string{"partial(keep_last=4)", "hash"},
		phrases: "account number|accountnumber|account no|bank account|bank account number|acct no|acct number|kontonummer|routing number|numero cuenta|numero compte|rekeningnummer"},
	{typ: classify.USSSN, class: classify.Restricted, rules: []string{"fpe", "hash", "partial"},
		phrases: "ssn|social security|social security number|social security no"},
	{typ: classify.NationalID, class: classify.Restricted, rules: []string{"hash", "partial"},
		phrases: "national id|nationalid|national identity number|national insurance number|nino|insee|dni|cpf|curp|aadhaar|aadhar|personnummer|personal id|identity number|identity card|id card|id number|personalausweis|ausweisnummer|codice fiscale|bsn|pesel|driver license|drivers license|driver licence|driving licence|drivers license number|license plate|sozialversicherungsnummer"},
	{typ: classify.Passport, class: classify.Restricted, rules: []string{"hash", "partial"},
		phrases: "passport|passport number|passport no|reisepass|passnummer|pasaporte|passeport|passaporto"},
	{typ: classify.TaxID, class: classify.Restricted, rules: []string{"hash", "partial"},
		phrases: "tax id|taxid|tax number|tin|vat id|vat number|steuernummer|steuer id|cnpj|nif"},
	{typ: classify.IPAddress, class: classify.Confidential, rules: []string{"constant('192.0.2.1')", "hash"},
		phrases: "ip|ip address|ipaddress|ip addr|ipaddr|client ip|remote ip|remote addr|remote address|ipv"},
	{typ: classify.MACAddress, class: classify.Confidential, rules: []string{"constant('00:00:5e:00:53:01')", "hash"},
		phrases: "mac|mac address|macaddress|mac addr"},
	{typ: classify.DeviceID, class: classify.Confidential, rules: []string{"hash", "partial"},
		phrases: "device id|deviceid|imei|imsi|idfa|udid|device token|push token|advertising id"},
	{typ: classify.GeoLocation, class: classify.Confidential, why: "a place can be a home: number_noise, null, or keep it with a reason",
		phrases: "latitude|longitude|lat|lng|lon|geolocation|geo location|geo|coordinates|gps|geom|geometry"},
	{typ: classify.Salary, class: classify.Restricted, why: "pay of a person: number_noise, null, or keep it with a reason",
		phrases: "salary|wage|wages|income|gehalt|lohn|salaire|sueldo|salario|stipendio|compensation"},
	{typ: classify.Health, class: classify.Restricted, why: "health data (GDPR article 9): null or constant(…), or keep it with a reason",
		phrases: "diagnosis|diagnoses|disease|allergy|allergies|blood type|blood group|medication|disability|medical|health|symptoms|pregnant|smoker|diagnose|krankheit|maladie|enfermedad"},
	{class: classify.Restricted, why: "a special category of personal data (GDPR article 9): null or constant(…), or keep it with a reason",
		phrases: "religion|ethnicity|ethnic|race|nationality|political|party|union member|sexual orientation|orientation|marital status|konfession"},
	{typ: classify.Biometric, class: classify.Restricted, rules: []string{"null"},
		phrases: "biometric|face embedding|voiceprint|iris|face template"},
	{typ: classify.Image, class: classify.Confidential, rules: []string{"null"},
		phrases: "photo|picture|avatar|portrait|selfie|profile picture|profile image|foto|bild"},
	{typ: classify.PasswordHash, class: classify.Restricted, rules: []string{"null", "hash", "constant('*')"},
		phrases: "password|passwd|pwd|passphrase|password hash|password digest|hashed password|encrypted password|password salt|passwort|kennwort|contrasena|mot de passe|senha|wachtwoord"},
	{typ: classify.Secret, class: classify.Restricted, rules: []string{"null", "hash", "constant('*')"},
		phrases: "secret|token|api key|apikey|access key|private key|access token|refresh token|reset token|auth token|session token|session key|client secret|otp|otp secret|totp secret|mfa secret|pin|pin code|cvv|cvc|security answer|recovery code"},
	{typ: classify.FreeText, class: classify.Confidential, rules: []string{"redact_text"},
		phrases: "note|notes|comment|comments|description|desc|message|body|remark|remarks|bio|biography|about|content|text|feedback|review|memo|details|transcript|instructions|bemerkung|bemerkungen|notiz|notizen|kommentar|beschreibung|nachricht|commentaire|commentaires|remarque|descripcion|comentario|comentarios|notas|observaciones|mensaje|nota|descrizione|descricao|opmerking|opmerkingen"},
}

// negatives are words that turn a name about something into one about something
// else: email_verified, phone_type, address_count, password_changed.
var negatives = wordSet("verified verification count cnt hash hashed digest type kind id ids status flag is has enabled disabled " +
	"confirmed valid validated template format length size max min index idx provider domain score sent opt optin optout " +
	"consent preference preferences total class category required changed expires expiry expiration expired used attempts " +
	"version brand scheme method state fee cost price amount rate limit level")

// A guess is what a column's name says.
type guess struct {
	*meaning
	negative string // the word that speaks against it, or ""
}

// phrase is one phrase of the lexicon, split into words.
type phrase struct {
	words   []string
	meaning *meaning
}

// lexicon holds the phrases of meanings, the longest first.
var lexicon = func() []phrase {
	var all []phrase
	for i := range meanings {
		for text := range strings.SplitSeq(meanings[i].phrases, "|") {
			all = append(all, phrase{strings.Fields(text), &meanings[i]})
		}
	}
	slices.SortStableFunc(all, func(a, b phrase) int { return len(b.words) - len(a.words) })
	return all
}()

// guessName returns what a column's name means, or a guess without a meaning.
func guessName(words []string) guess {
	for _, ph := range lexicon {
		at := find(words, ph.words)
		if at < 0 {
			continue
		}
		g := guess{meaning: ph.meaning}
		for i, w := range words {
			if (i < at || i >= at+len(ph.words)) && negatives[w] {
				g.negative = w
			}
		}
		return g
	}
	return guess{}
}

// people and companies are what a table may be about, in the singular.
var (
	people = wordSet("customer client user person employee staff member patient contact student teacher author driver guest " +
		"passenger applicant candidate subscriber lead owner agent doctor nurse visitor attendee participant beneficiary " +
		"profile actor kunde benutzer nutzer mitarbeiter patienten personne utilisateur usuario cliente persona empleado klant medewerker")
	companies = wordSet("company organization organisation supplier vendor merchant partner employer firm business firma lieferant " +
		"entreprise empresa fornitore leverancier")
	plainName = wordSet("name nom nome nombre naam")
)

// guessPlainName says what a column called name means in this table.
func guessPlainName(table, column []string) guess {
	if len(column) == 0 || !plainName[column[len(column)-1]] {
		return guess{}
	}
	about := table
	if len(column) > 1 {
		about = column[:len(column)-1]
	}
	if len(about) == 0 {
		return guess{}
	}
	switch last := singular(about[len(about)-1]); {
	case people[last]:
		return guess{meaning: meaningOf(classify.PersonName)}
	case companies[last]:
		return guess{meaning: meaningOf(classify.Company)}
	}
	return guess{}
}

func meaningOf(t classify.Type) *meaning {
	for i := range meanings {
		if meanings[i].typ == t {
			return &meanings[i]
		}
	}
	return nil
}

func wordSet(s string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(s) {
		set[w] = true
	}
	return set
}
