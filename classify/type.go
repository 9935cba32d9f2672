package classify

// A Type says what a value is: an e-mail address, a card number. It does not
// say how bad a leak is (see [Level]) nor what to do about it. The zero Type
// says nothing.
type Type string

// The information types. [Type.Doc] describes each, [Type.Level] is the level
// of a value of which nothing else is declared.
const (
	Email         Type = "email"
	Phone         Type = "phone"
	PersonName    Type = "person_name"
	FirstName     Type = "first_name"
	LastName      Type = "last_name"
	Username      Type = "username"
	StreetAddress Type = "street_address"
	City          Type = "city"
	Postcode      Type = "postcode"
	Country       Type = "country"
	Company       Type = "company"
	DateOfBirth   Type = "date_of_birth"
	Gender        Type = "gender"
	CardNumber    Type = "card_number"
	IBAN          Type = "iban"
	BankAccount   Type = "bank_account"
	USSSN         Type = "us_ssn"
	NationalID    Type = "national_id"
	Passport      Type = "passport"
	TaxID         Type = "tax_id"
	IPAddress     Type = "ip_address"
	MACAddress    Type = "mac_address"
	DeviceID      Type = "device_id"
	GeoLocation   Type = "geo_location"
	URL           Type = "url"
	Salary        Type = "salary"
	Health        Type = "health"
	Biometric     Type = "biometric"
	Image         Type = "image"
	PasswordHash  Type = "password_hash"
	Secret        Type = "secret"
	FreeText      Type = "free_text"
)

// typeTable holds everything that is known of the types: what a person can be
// robbed or identified with is restricted, what reaches or describes a person
// is confidential, what only narrows the circle is internal.
var typeTable = []struct {
	name  Type
	level Level
	doc   string
}{
	{Email, Confidential, "e-mail address"},
	{Phone, Confidential, "telephone number, national or international"},
	{PersonName, Confidential, "full name of a person"},
	{FirstName, Confidential, "given name"},
	{LastName, Confidential, "family name"},
	{Username, Internal, "login or handle a person chose"},
	{StreetAddress, Confidential, "street and number, or the whole postal address"},
	{City, Internal, "town or city"},
	{Postcode, Internal, "postal code"},
	{Country, Internal, "country"},
	{Company, Internal, "name of a company or other organisation"},
	{DateOfBirth, Confidential, "date of birth"},
	{Gender, Confidential, "gender or form of address"},
	{CardNumber, Restricted, "payment card number (PAN)"},
	{IBAN, Restricted, "international bank account number (ISO 13616)"},
	{BankAccount, Restricted, "bank account in a national form"},
	{USSSN, Restricted, "United States social security number"},
	{NationalID, Restricted, "number that a state gives a person"},
	{Passport, Restricted, "passport number"},
	{TaxID, Restricted, "tax number of a person"},
	{IPAddress, Internal, "IPv4 or IPv6 address"},
	{MACAddress, Internal, "hardware address of a network card"},
	{DeviceID, Internal, "identifier of a phone, browser or other device"},
	{GeoLocation, Confidential, "coordinates or another precise place"},
	{URL, Internal, "web address, which may name a person or carry a credential"},
	{Salary, Restricted, "pay or other income"},
	{Health, Restricted, "state of health, diagnosis, treatment"},
	{Biometric, Restricted, "fingerprint, face or voice template"},
	{Image, Confidential, "picture that may show a person or a document"},
	{PasswordHash, Restricted, "hash of a password"},
	{Secret, Restricted, "password, key, token or other credential"},
	{FreeText, Confidential, "text that people write, in which anything may stand"},
}

// Types returns the names of all information types, in a fixed order.
func Types() []string {
	names := make([]string, len(typeTable))
	for i := range typeTable {
		names[i] = string(typeTable[i].name)
	}
	return names
}

// ParseType returns the type of that name. Names are lower case and exact.
func ParseType(s string) (Type, bool) {
	for i := range typeTable {
		if string(typeTable[i].name) == s {
			return typeTable[i].name, true
		}
	}
	return "", false
}

// Level returns the level of a value of this type where nothing else is
// declared, [Unclassified] for a type that does not exist.
func (t Type) Level() Level {
	for i := range typeTable {
		if typeTable[i].name == t {
			return typeTable[i].level
		}
	}
	return Unclassified
}

// Doc returns one line that says what values of this type are, or "".
func (t Type) Doc() string {
	for i := range typeTable {
		if typeTable[i].name == t {
			return typeTable[i].doc
		}
	}
	return ""
}
