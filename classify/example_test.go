package classify_test

import (
	"fmt"
	"reflect"

	"github.com/privet-dev/privet/classify"
)

type Customer struct {
	ID    int64  `db:"customer_id" classify:"internal,subject"`
	Email string `db:"email" classify:"confidential,type=email"`
	Card  string `db:"card_sealed" classify:"restricted,type=card_number,encrypt=customer.card"`
	Lang  string `db:"lang" classify:"public"`
	Note  string `db:"note"`
}

func ExamplePlanOf() {
	plan, err := classify.PlanOf(reflect.TypeFor[Customer]())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range plan.Fields {
		fmt.Printf("%-12s %-11s %s\n", f.Effective(), f.DB, f.Name)
	}
	fmt.Println("at worst:", plan.Level, "about:", plan.Subject.Name)
	// Output:
	// internal     customer_id ID
	// confidential email       Email
	// restricted   card_sealed Card
	// public       lang        Lang
	// restricted   note        Note
	// at worst: restricted about: ID
}

func ExampleFor_misspelt() {
	type Order struct {
		Email string `classify:"confidential,type=emial"`
	}
	_, err := classify.For[Order]()
	fmt.Println(err)
	// Output: classify: classify_test.Order.Email: tag "confidential,type=emial" has an unknown type "emial", did you mean "email"?
}

func ExamplePlan_Sensitive() {
	type Point struct{ X, Y float64 }
	plan, _ := classify.For[[]Point]()
	fmt.Println(plan.Sensitive())
	// Output: false
}

func ExampleParseTag() {
	tag, err := classify.ParseTag("restricted,type=card_number,mask=fpe(keep_last=4, domain=cards)")
	fmt.Println(tag.Level, tag.Type, tag.Mask, err)
	// Output: restricted card_number fpe(keep_last=4, domain=cards) <nil>
}

func ExampleType_Level() {
	fmt.Println(classify.Email.Level(), classify.CardNumber.Level(), classify.City.Level())
	// Output: confidential restricted internal
}
