package shop

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/brianvoe/gofakeit/v7/data"
)

// tables are the shop's tables in the order in which they are loaded.
var tables = []struct {
	name    string
	columns string
	count   func(Size) int
	row     func(g *generator, i int, w *line)
}{
	{"customer", "customer_id, public_ref, email, username, first_name, last_name, phone, date_of_birth, company, status, tags, profile, last_ip, marketing, loyalty_points, default_address_id, created_at, updated_at",
		func(s Size) int { return s.Customers }, customer},
	{"address", "address_id, customer_id, kind, street, city, postcode, country",
		func(s Size) int { return s.Customers + s.Customers/4 }, address},
	{"staff.employee", "employee_id, manager_id, first_name, last_name, email, salary, hired_on", employees, employee},
	{"product", "product_id, sku, title, price", func(Size) int { return products }, product},
	{"orders", "order_id, customer_id, shipping_address_id, product_id, handled_by, invoice_no, state, contact_email, quantity, total, note, placed_at",
		func(s Size) int { return s.Orders }, order},
	{"payment", "payment_id, order_id, paid_on, amount, card_number, card_holder, iban",
		func(s Size) int { return s.Orders - s.Orders/10 }, payment},
	{"message", "message_id, customer_id, subject, body, staff_note, sent_at",
		func(s Size) int { return max(1, s.Customers/2) }, message},
	{"newsletter", "email, topics, subscribed_at", func(s Size) int { return max(1, s.Customers/4) }, newsletter},
	{"login_log", "login_id, customer_id, ip, user_agent, at", func(s Size) int { return max(1, s.Customers/2) }, login},
}

const products = 200

// employees returns how many people such a shop has: one for each thousand
// customers, and never fewer than twelve.
func employees(s Size) int { return max(12, s.Customers/1000) }

func customer(g *generator, i int, w *line) {
	p := g.person(i)
	r := g.at(streamCustomer, i)
	w.int(i)
	w.text(fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48)))
	w.text(p.email)
	w.text(p.username)
	w.text(p.first)
	w.text(p.last)
	w.textOr(p.phone, r.IntN(10) > 0)
	if r.IntN(8) == 0 {
		w.null()
	} else {
		w.date(p.born)
	}
	w.textOr(pick(r, data.Company["name"]), r.IntN(5) == 0)
	w.text(pick(r, []string{"new", "active", "active", "active", "vip", "blocked"}))
	w.text(pick(r, []string{"{}", "{wholesale}", "{\"early adopter\"}", "{gift-card,wholesale}"}))

	ip := fmt.Sprintf("%d.%d.%d.%d", 11+r.IntN(110), r.IntN(256), r.IntN(256), 1+r.IntN(254))
	w.text(profile(p, pick(r, [][]string{{"en"}, {"de", "en"}, {"pl"}, {"fr", "en", "nl"}}), ip))
	w.textOr(ip, r.IntN(3) > 0)
	w.bool(r.IntN(2) == 0)
	w.int(r.IntN(5000))
	if i%20 == 0 {
		w.null()
	} else {
		w.int(i) // the customer's first address, see address
	}
	created := moment(r)
	w.time(created)
	w.time(created.AddDate(0, 0, r.IntN(300)))
}

// profile returns what the web application keeps about a customer as JSON.
func profile(p person, langs []string, ip string) string {
	type name struct {
		First string `json:"first"`
		Last  string `json:"last"`
	}
	type device struct {
		IP    string `json:"ip"`
		Agent string `json:"agent"`
	}
	doc, err := json.Marshal(struct {
		Email   string   `json:"email"`
		Name    name     `json:"name"`
		Langs   []string `json:"langs"`
		Dark    bool     `json:"dark"`
		Devices []device `json:"devices,omitempty"`
	}{p.email, name{p.first, p.last}, langs, p.born.Day()%2 == 0, []device{{ip, "Mozilla/5.0"}}})
	if err != nil {
		panic(err) // strings and booleans always marshal
	}
	return string(doc)
}

// address writes the first address of every customer under the customer's own
// number, then second ones.
func address(g *generator, i int, w *line) {
	p := g.place(i)
	r := g.at(streamAddress, i)
	w.int(i)
	if i <= g.size.Customers {
		w.int(i)
		w.text("delivery")
	} else {
		w.int(1 + r.IntN(g.size.Customers))
		w.text("billing")
	}
	w.text(p.street)
	w.text(p.city)
	w.text(p.postcode)
	w.text(p.country)
}

func employee(g *generator, i int, w *line) {
	p := g.person(-i) // somebody who is not a customer
	r := g.at(streamEmployee, i)
	w.int(i)
	if i == 1 {
		w.null()
	} else {
		w.int(1 + r.IntN(i-1))
	}
	w.text(p.first)
	w.text(p.last)
	w.text(fmt.Sprintf("%s%d@hedgerow-staff.com", letters(strings.ToLower(p.last)), i))
	w.cents(2_800_000 + r.IntN(6_000_000))
	w.date(day(2015, r.IntN(3600)))
}

func product(g *generator, i int, w *line) {
	r := g.at(streamProduct, i)
	w.int(i)
	w.text(fmt.Sprintf("SKU-%05d", i))
	w.text(title(pick(r, data.Product["material"])) + " " + pick(r, data.Product["name"]))
	w.cents(199 + r.IntN(20_000))
}

// customerOf returns the customer of an order.
func (g *generator) customerOf(order int) int {
	return 1 + g.at(streamOrder, order).IntN(g.size.Customers)
}

func order(g *generator, i int, w *line) {
	c := g.customerOf(i)
	p := g.person(c)
	r := g.at(streamOrder, i)
	_ = r.Uint64() // what customerOf took
	w.int(i)
	w.int(c)
	w.int(c)
	w.int(1 + r.IntN(products))
	if r.IntN(3) == 0 {
		w.int(1 + r.IntN(employees(g.size)))
	} else {
		w.null()
	}
	w.int(100_000 + i)
	w.text(pick(r, []string{"placed", "paid", "shipped", "shipped", "returned"}))
	w.text(p.email)
	w.int(1 + r.IntN(4))
	w.cents(199 + r.IntN(80_000))
	switch r.IntN(12) {
	case 0:
		w.text("Please ring " + p.phone + " on delivery")
	case 1:
		w.text("Leave it at the door.\nInvoice to " + p.email + " please")
	default:
		w.null()
	}
	w.time(moment(r))
}

func payment(g *generator, i int, w *line) {
	p := g.person(g.customerOf(i))
	r := g.at(streamPayment, i)
	w.int(i)
	w.int(i)
	w.date(day(2023, r.IntN(4*365)))
	w.cents(199 + r.IntN(80_000))
	if r.IntN(3) > 0 {
		w.text(card(r))
		w.text(p.first + " " + p.last)
		w.null()
	} else {
		w.null()
		w.null()
		w.text(iban(r))
	}
}

func message(g *generator, i int, w *line) {
	c := 1 + g.at(streamMessage, i).IntN(g.size.Customers)
	p := g.person(c)
	r := g.at(streamMessage, i)
	_ = r.Uint64()
	w.int(i)
	w.int(c)
	w.text(pick(r, []string{"Where is my parcel?", "Change of contact details", "Refund", "Question about " + pick(r, data.Product["name"])}))
	var body strings.Builder
	body.WriteString(pick(r, []string{"Hello,\n", "Hi there, ", "Good morning.\n\n", ""}))
	switch r.IntN(6) {
	case 0:
		fmt.Fprintf(&body, "my new address is %s, the old one bounces.", p.email)
	case 1:
		fmt.Fprintf(&body, "call me back on %s after 5 pm", p.phone)
	case 2:
		fmt.Fprintf(&body, "please refund to %s\tor to card %s.", iban(r), card(r))
	case 3:
		fmt.Fprintf(&body, "I wrote from %s last week (C:\\temp\\order.pdf attached) and nobody answered!", p.email)
	default:
		fmt.Fprintf(&body, "order %d has not arrived yet.", 100_000+r.IntN(g.size.Orders))
	}
	w.text(body.String())
	w.textOr(fmt.Sprintf("%s %s is a regular, be kind", p.first, p.last), r.IntN(4) == 0)
	w.time(moment(r))
}

func newsletter(g *generator, i int, w *line) {
	p := g.person(i) // the first customers, each once
	w.text(p.email)
	w.text([]string{"{offers}", "{offers,garden}", "{}"}[i%3])
	w.time(day(2024, i%365))
}

func login(g *generator, i int, w *line) {
	r := g.at(streamLogin, i)
	w.int(i)
	w.int(1 + r.IntN(g.size.Customers))
	w.text(fmt.Sprintf("%d.%d.%d.%d", 11+r.IntN(110), r.IntN(256), r.IntN(256), 1+r.IntN(254)))
	w.text("Mozilla/5.0")
	w.time(moment(r))
}
