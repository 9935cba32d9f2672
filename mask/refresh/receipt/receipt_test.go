package receipt

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask/refresh/verify"
)

// testKey is the key of a fixed seed; Ed25519 signatures are deterministic.
func testKey(seed byte) (ed25519.PrivateKey, ed25519.PublicKey) {
	k := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	return k, k.Public().(ed25519.PublicKey)
}

func sample(run string) *Receipt {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return &Receipt{
		RunID: run, Privet: "v0.1.0", Started: at, Finished: at.Add(time.Minute),
		Policy:    Policy{File: "privet.yaml", SHA256: strings.Repeat("ab", 32)},
		Source:    Database{Database: "shop_prod", ServerVersion: "15.18"},
		Target:    Database{Server: "db:5432", Database: "shop_staging", ServerVersion: "15.18"},
		Snapshot:  "00000004-0000001B-1",
		Tables:    []Table{{Name: `public.a <"odd" & é> name`, Rows: 3, Bytes: 77, Decision: "rows"}},
		Columns:   []Column{{Table: "public.customer", Column: "email", Action: "mask", Rule: "email", Rows: 3, Changed: 3}},
		Undecided: []string{},
		Verification: &verify.Report{OK: true, Started: at, Finished: at, Checks: []verify.Check{
			{Name: verify.CheckRows, Table: "public.customer", Result: verify.Pass, Source: 3, Target: 3, Expected: 0.25}}},
	}
}

func TestSignAndVerify(t *testing.T) {
	key, pub := testKey(1)
	r := sample("run-1")
	doc, err := Sign(r, key)
	require.NoError(t, err)

	got, err := Verify(doc, pub)
	require.NoError(t, err)
	require.Equal(t, r, got)

	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, doc))
	_, err = Verify(compact.Bytes(), pub)
	require.NoError(t, err, "white space between members is not signed")

	again, err := Sign(sample("run-1"), key)
	require.NoError(t, err)
	require.Equal(t, string(doc), string(again), "the same content and key give the same document")

	signed, ok := strings.CutSuffix(compact.String(), `,"signature":{"algorithm":"Ed25519","key_id":"`+KeyID(pub)+`","value":"`+r.Signature.Value+`"}}`)
	require.True(t, ok, "the signature is the last member")
	require.Contains(t, signed, `"format":"privet/receipt/1"`)
}

// Every byte that is not white space between tokens matters, those of the
// signature included.
func TestVerifyRefusesEveryChangedByte(t *testing.T) {
	key, pub := testKey(1)
	doc, err := Sign(sample("run-1"), key)
	require.NoError(t, err)
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, doc))
	for i := range compact.Len() {
		for _, flip := range []byte{0x01, 0x02, 0x20, 0x80} {
			changed := bytes.Clone(compact.Bytes())
			changed[i] ^= flip
			_, err := Verify(changed, pub)
			require.Error(t, err, "byte %d of %q xor %#x", i, compact.String()[max(0, i-10):i+1], flip)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	key, pub := testKey(1)
	_, other := testKey(2)
	doc, err := Sign(sample("run-1"), key)
	require.NoError(t, err)
	replace := func(old, new string) []byte {
		require.Equal(t, 1, bytes.Count(doc, []byte(old)), "%q in the document", old)
		return bytes.Replace(doc, []byte(old), []byte(new), 1)
	}
	for _, tt := range []struct {
		name string
		doc  []byte
		key  ed25519.PublicKey
		want error
	}{
		{"another key", doc, other, ErrKey},
		{"a member added", replace(`"run_id":`, `"note": 1, "run_id":`), pub, ErrSignature},
		{"a member given twice", replace(`"run_id":`, `"run_id": "run-2", "run_id":`), pub, ErrSignature},
		{"a number spelled otherwise", replace("77", "7.7e1"), pub, ErrSignature},
		{"a string spelled otherwise", replace("shop_prod", `shop\u005fprod`), pub, ErrSignature},
		{"failure made success", replace(`"source": 3`, `"source": 4`), pub, ErrSignature},
		{"a signature in front", replace(`"format":`, `"signature": {}, "format":`), pub, ErrMalformed},
		{"a signature in other letters", replace(`"format":`, `"Signature": {}, "format":`), pub, ErrMalformed},
		{"another algorithm", replace(`"Ed25519"`, `"none"`), pub, ErrMalformed},
		{"a member after the signature", append(bytes.TrimRight(bytes.Clone(doc), "}\n"), `}, "x": 1}`...), pub, ErrMalformed},
		{"more text", append(bytes.Clone(doc), "{}"...), pub, ErrMalformed},
		{"cut off", doc[:len(doc)-3], pub, ErrMalformed},
		{"no signature", []byte(`{"format":"privet/receipt/1","run_id":"run-1"}`), pub, ErrMalformed},
		{"nothing but a signature", []byte(`{"signature":{"algorithm":"Ed25519","key_id":"","value":""}}`), pub, ErrMalformed},
		{"an array", []byte(`[]`), pub, ErrMalformed},
		{"empty", nil, pub, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Verify(tt.doc, tt.key)
			require.ErrorIs(t, err, tt.want)
			require.Nil(t, r)
			require.Equal(t, fault.Verify, fault.KindOf(err))
		})
	}
	_, err = Verify(doc, nil)
	require.Error(t, err, "no key")
}

// A receipt of a newer program may hold members that this one does not know.
func TestVerifyAcceptsUnknownSignedMembers(t *testing.T) {
	key, pub := testKey(1)
	content := `{"format":"privet/receipt/1","run_id":"run-9","shoe_size":43}`
	whole := strings.TrimSuffix(content, "}") + `,"signature":` + signatureOf(t, key, content) + "}"
	r, err := Verify([]byte(whole), pub)
	require.NoError(t, err)
	require.Equal(t, "run-9", r.RunID)

	content = `{"format":"privet/receipt/2","run_id":"run-9"}`
	whole = strings.TrimSuffix(content, "}") + `,"signature":` + signatureOf(t, key, content) + "}"
	_, err = Verify([]byte(whole), pub)
	require.ErrorIs(t, err, ErrMalformed)
	require.ErrorContains(t, err, "privet/receipt/2")
}

func signatureOf(t *testing.T, key ed25519.PrivateKey, content string) string {
	t.Helper()
	s := Signature{Algorithm: algorithm, KeyID: KeyID(key.Public().(ed25519.PublicKey))}
	b, err := json.Marshal(ed25519.Sign(key, []byte(content)))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &s.Value))
	b, err = json.Marshal(s)
	require.NoError(t, err)
	return string(b)
}

func TestSignNeedsARun(t *testing.T) {
	key, _ := testKey(1)
	_, err := Sign(&Receipt{}, key)
	require.Error(t, err)
	_, err = Sign(sample("run-1"), nil)
	require.Error(t, err)
}

func TestPublicKeyText(t *testing.T) {
	_, pub := testKey(1)
	s := FormatPublicKey(pub)
	require.Equal(t, "privet-ed25519:iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w", s)
	got, err := ParsePublicKey(" " + s + "\n")
	require.NoError(t, err)
	require.Equal(t, pub, got)
	require.Equal(t, "34750f98bd59fcfc", KeyID(pub))
	for _, bad := range []string{"", s[15:], s[:len(s)-1], s + "A", s[:len(s)-1] + "x", strings.Replace(s, "ed25519", "rsa", 1), s[:30] + "\n" + s[30:]} {
		_, err := ParsePublicKey(bad)
		require.Error(t, err, "%q", bad)
	}
}

func TestWriteFile(t *testing.T) {
	key, pub := testKey(1)
	dir := t.TempDir()
	path := filepath.Join(dir, "receipt.json")
	write := func(run string) error {
		doc, err := Sign(sample(run), key)
		require.NoError(t, err)
		return WriteFile(path, doc)
	}
	require.NoError(t, write("run-1"))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, write("run-1"), "the same run may say more")
	err = write("run-2")
	require.ErrorIs(t, err, ErrExists)
	require.Equal(t, fault.Guard, fault.KindOf(err))

	doc, err := os.ReadFile(path)
	require.NoError(t, err)
	r, err := Verify(doc, pub)
	require.NoError(t, err)
	require.Equal(t, "run-1", r.RunID, "the first receipt is untouched")

	path = filepath.Join(dir, "notes.txt")
	require.NoError(t, os.WriteFile(path, []byte("mine"), 0o644))
	require.ErrorIs(t, write("run-1"), ErrExists)
	path = filepath.Join(dir, "link.json")
	require.NoError(t, os.Symlink(filepath.Join(dir, "receipt.json"), path))
	require.ErrorIs(t, write("run-1"), ErrExists, "a symbolic link is not followed")
	path = filepath.Join(dir, "no", "folder.json")
	require.ErrorIs(t, write("run-1"), os.ErrNotExist)
	require.ErrorIs(t, WriteFile(path, []byte("{}")), ErrMalformed)

	left, err := filepath.Glob(filepath.Join(dir, ".privet-*"))
	require.NoError(t, err)
	require.Empty(t, left, "no temporary file stays")
}

func FuzzVerify(f *testing.F) {
	key, pub := testKey(1)
	doc, err := Sign(sample("run-1"), key)
	require.NoError(f, err)
	f.Add(doc)
	f.Add([]byte(`{"a":1,"signature":{"algorithm":"Ed25519","key_id":"34750f98bd59fcfc","value":"AA=="}}`))
	f.Add([]byte(`{"signature":null}`))
	var want bytes.Buffer
	require.NoError(f, json.Compact(&want, doc))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Verify(b, pub)
		if err != nil {
			return
		}
		// Nobody but the key's owner makes a receipt: what verifies is the one.
		require.Equal(t, "run-1", r.RunID)
		var got bytes.Buffer
		require.NoError(t, json.Compact(&got, b))
		require.Equal(t, want.String(), got.String())
	})
}
