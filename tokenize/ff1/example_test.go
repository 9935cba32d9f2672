package ff1_test

import (
	"encoding/hex"
	"fmt"

	"github.com/privet-dev/privet/tokenize/ff1"
)

func Example() {
	key, _ := hex.DecodeString("2b7e151628aed2a6abf7158809cf4f3c")
	digits, _ := ff1.NewAlphabet("0123456789")
	c, err := ff1.New(key, digits.Radix())
	if err != nil {
		panic(err)
	}
	ct, _ := c.EncryptString(digits, "0123456789", []byte("9876543210"))
	pt, _ := c.DecryptString(digits, ct, []byte("9876543210"))
	fmt.Println(ct, pt)
	// Output: 6124200773 0123456789
}

func ExampleWorker() {
	c, err := ff1.New(make([]byte, 32), 10)
	if err != nil {
		panic(err)
	}
	w := c.NewWorker() // one for each goroutine
	buf := []uint16{4, 1, 1, 1, 1, 1, 1, 1}
	buf, _ = w.AppendEncrypt(buf[:0], buf, nil)
	buf, err = w.AppendDecrypt(buf[:0], buf, nil)
	fmt.Println(buf, err)
	// Output: [4 1 1 1 1 1 1 1] <nil>
}
