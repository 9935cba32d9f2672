package detect_test

import (
	"fmt"

	"github.com/privet-dev/privet/classify/detect"
)

func Example() {
	text := []byte("Mail ann@mail.com or call +49 30 901820.")
	for f := range detect.New().All(text) {
		fmt.Println(f.Type, string(text[f.Start:f.End]))
	}
	// Output:
	// email ann@mail.com
	// phone +49 30 901820
}
