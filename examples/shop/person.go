package shop

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/brianvoe/gofakeit/v7/data"
)

// A person is somebody who does not exist.
type person struct {
	first, last string
	email       string
	username    string
	phone       string
	born        time.Time
}

// foreign are names that are not ASCII, each with how it is written in an
// address.
var foreign = []struct{ first, firstASCII, last, lastASCII string }{
	{"Zoë", "zoe", "Brontë", "bronte"},
	{"Jürgen", "juergen", "Müller", "mueller"},
	{"Łukasz", "lukasz", "Wiśniewski", "wisniewski"},
	{"Søren", "soren", "Østergård", "ostergaard"},
	{"Inês", "ines", "Gonçalves", "goncalves"},
	{"Željka", "zeljka", "Šimić", "simic"},
	{"Chloé", "chloe", "Lefèvre", "lefevre"},
	{"Siân", "sian", "O'Dowd", "odowd"},
}

// mailHosts are companies that do not exist.
var mailHosts = []string{
	"brackenfold-mail.com", "northwick-post.net", "halvermoor.co.uk", "quillandstone-mail.com", "tarnhollow.net",
	"veldhoek-post.nl", "marisbrunn.de", "ostrowiec-poczta.pl", "clairvallon-courriel.fr", "lindermere-works.com",
	"greyalder-freight.com", "sunderlea-studio.net", "pontelago-posta.it", "kestrelgate-law.co.uk", "ambervane-labs.com",
}

// person returns customer i, always the same.
func (g *generator) person(i int) person {
	r := g.at(streamPerson, i)
	firsts, lasts := data.Person["first"], data.Person["last"]
	p := person{first: pick(r, firsts), last: pick(r, lasts)}
	firstASCII, lastASCII := strings.ToLower(p.first), strings.ToLower(p.last)
	if r.IntN(25) == 0 {
		f := pick(r, foreign)
		p.first, firstASCII = f.first, f.firstASCII
		f = pick(r, foreign)
		p.last, lastASCII = f.last, f.lastASCII
	}
	firstASCII, lastASCII = letters(firstASCII), letters(lastASCII)
	initial := firstASCII[:1]
	number := strconv.Itoa(i) // makes addresses and usernames unique
	host := pick(r, mailHosts)
	switch r.IntN(4) {
	case 0:
		p.email = firstASCII + "." + lastASCII + number + "@" + host
	case 1:
		p.email = initial + lastASCII + number + "@" + host
	case 2:
		p.email = firstASCII + number + "_" + lastASCII + "@" + host
	case 3: // capitals are kept as they were typed
		p.email = strings.ToUpper(initial) + firstASCII[1:] + "." + lastASCII + "+shop" + number + "@" + host
	}
	p.username = initial + lastASCII + number
	p.phone = phone(r)
	p.born = day(1940, r.IntN(66*365))
	return p
}

// letters leaves the letters of a name, of which there is at least one.
func letters(s string) string {
	s = strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' {
			return c
		}
		return -1
	}, s)
	if s == "" {
		return "x"
	}
	return s
}

// phone returns a telephone number as people type them.
func phone(r *rand.Rand) string {
	switch r.IntN(4) {
	case 0:
		return fmt.Sprintf("+49 %d %07d", 30+r.IntN(60), r.IntN(1e7))
	case 1:
		return fmt.Sprintf("+44 20 %04d %04d", 1000+r.IntN(9000), r.IntN(1e4))
	case 2:
		return fmt.Sprintf("+1 %d-%03d-%04d", 201+r.IntN(700), 200+r.IntN(800), r.IntN(1e4))
	default:
		return fmt.Sprintf("+33%d%08d", 1+r.IntN(5), r.IntN(1e8))
	}
}

var roads = []string{"Street", "Road", "Lane", "Avenue", "Square", "Court", "Hill", "Terrace", "Quay", "Crescent"}

// A place is an address.
type place struct{ street, city, postcode, country string }

// place returns address i.
func (g *generator) place(i int) place {
	r := g.at(streamPlace, i)
	p := place{
		street: fmt.Sprintf("%d %s %s", 1+r.IntN(299), pick(r, data.Person["last"]), pick(r, roads)),
		city:   pick(r, data.Address["city"]),
	}
	switch r.IntN(3) {
	case 0:
		p.country, p.postcode = "US", fmt.Sprintf("%05d", 10000+r.IntN(89999))
	case 1:
		p.country, p.postcode = "DE", fmt.Sprintf("%05d", 1000+r.IntN(98000))
	default:
		p.country, p.postcode = "GB", fmt.Sprintf("%c%c%d %d%c%c", letter(r), letter(r), 1+r.IntN(20), 1+r.IntN(9), letter(r), letter(r))
	}
	return p
}

func letter(r *rand.Rand) rune { return rune('A' + r.IntN(26)) }

// title returns s with a capital first letter.
func title(s string) string {
	c, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(string(c)) + s[n:]
}
