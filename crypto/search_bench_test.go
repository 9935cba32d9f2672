package crypto_test

import (
	"fmt"
	"testing"

	siv "github.com/tink-crypto/tink-go/v2/daead/subtle"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/cmac"
)

// An index value beside the bare CMAC of the same address.
func BenchmarkBlindIndex(b *testing.B) {
	value := []byte("Jo.Doe@Example.com")
	b.Run("cmac", func(b *testing.B) {
		mac, err := cmac.New(make([]byte, 32))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			mac.Sum(value)
		}
	})
	b.Run("email", func(b *testing.B) {
		x, err := newClient(b).BlindIndex(b.Context(), crypto.BlindIndexConfig{Tenant: "acme", Field: "f", Normalize: normalizer(b, classify.Email)})
		if err != nil {
			b.Fatal(err)
		}
		ctx, dst := b.Context(), make([]byte, 0, 16)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := x.Append(ctx, dst, value); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A deterministic ciphertext beside Tink's bare AES-SIV.
func BenchmarkDeterministic(b *testing.B) {
	unenforced(b)
	value := make([]byte, 32)
	b.Run("tink", func(b *testing.B) {
		raw, err := siv.NewAESSIV(make([]byte, 64))
		if err != nil {
			b.Fatal(err)
		}
		ad := valueAD(crypto.Context{Tenant: "acme", Field: "order.ref"})
		b.ReportAllocs()
		for b.Loop() {
			if _, err := raw.EncryptDeterministically(value, ad); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encrypt", func(b *testing.B) {
		d, ctx := deterministic(b, newClient(b), orderRef), b.Context()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := d.Encrypt(ctx, value); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A page of 50 rows with 4 fields each, beside the same 200 values in a bare batch.
func BenchmarkSealStructs(b *testing.B) {
	type row struct {
		ID         int    `classify:"internal,subject"`
		A, B, C, D string `classify:"confidential,encrypt=row.field"`
	}
	const rows = 50
	c, ctx, base := newClient(b), b.Context(), crypto.Context{Tenant: "acme"}
	fresh := func() []row {
		page := make([]row, rows)
		for i := range page {
			page[i] = row{ID: i + 1, A: "a value", B: "a value", C: "a value", D: "a value"}
		}
		return page
	}
	if err := c.Seal(ctx, fresh(), base); err != nil {
		b.Fatal(err)
	}
	b.Run("batch", func(b *testing.B) {
		items := make([]crypto.Item, 4*rows)
		for i := range items {
			items[i] = crypto.Item{Data: []byte("a value"), At: crypto.Context{Tenant: "acme", Subject: fmt.Sprint(i/4 + 1), Field: "row.field"}}
		}
		b.ReportAllocs()
		for b.Loop() {
			for _, r := range c.EncryptBatch(ctx, items) {
				if r.Err != nil {
					b.Fatal(r.Err)
				}
			}
		}
	})
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := c.Seal(ctx, fresh(), base); err != nil {
				b.Fatal(err)
			}
		}
	})
}
