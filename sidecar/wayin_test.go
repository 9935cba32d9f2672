package sidecar

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/sidecar/api"
	"github.com/privet-dev/privet/sidecar/client"
)

// fakeKeys fail, wait or panic as a test says.
type fakeKeys struct {
	Keys
	encrypt func(ctx context.Context, plaintext []byte) ([]byte, error)
}

func (f *fakeKeys) AppendEncrypt(ctx context.Context, dst, plaintext []byte, _ crypto.Context) ([]byte, error) {
	ct, err := f.encrypt(ctx, plaintext)
	return append(dst, ct...), err
}

func (f *fakeKeys) AppendDecrypt(ctx context.Context, dst, ciphertext []byte, _ crypto.Context) ([]byte, error) {
	pt, err := f.encrypt(ctx, ciphertext)
	return append(dst, pt...), err
}

func (f *fakeKeys) Subkey(ctx context.Context, _, _, _ string, _ int) ([]byte, error) {
	_, err := f.encrypt(ctx, nil)
	return nil, err
}

// raw sends bytes to the TCP listener and returns the answer.
func raw(t *testing.T, r *running, request string) (*http.Response, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.URL(), "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	return http.ReadResponse(bufio.NewReader(conn), nil)
}

func head(t *testing.T, r *running, more string) string {
	return "POST /v1/encrypt HTTP/1.1\r\nHost: localhost\r\nX-Privet: 1\r\nContent-Type: application/json\r\n" +
		"Authorization: Bearer " + r.token(t, "app") + "\r\n" + more + "\r\n"
}

func codeOf(t *testing.T, err error) api.Code {
	var p *api.Problem
	require.ErrorAs(t, err, &p)
	return p.Code
}

var one = []api.EncryptItem{{Field: "customer.email", Value: "jane@example.com"}}

func TestABodyThatGrowsTooLarge(t *testing.T) {
	r := start(t, func(c *Config) { c.MaxBody = 1000 })
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 2000, strings.Repeat(" ", 2000))
	resp, err := raw(t, r, head(t, r, "Transfer-Encoding: chunked\r\n")+chunk+"0\r\n\r\n")
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 413, resp.StatusCode)
	require.True(t, resp.Close, "the rest of the body is not read")
}

func TestOneSpelling(t *testing.T) {
	r := start(t, nil)
	const body = `{"tenant":"acme","items":[{"field":"f","value":"v"}]}`
	send := func(path, more string) int {
		resp, err := raw(t, r, strings.Replace(head(t, r, fmt.Sprintf("%sContent-Length: %d\r\n", more, len(body))), "/v1/encrypt", path, 1)+body)
		require.NoError(t, err)
		defer resp.Body.Close()
		return resp.StatusCode
	}
	require.Equal(t, 200, send("/v1/encrypt", ""))
	for _, path := range []string{"/v1/%65ncrypt", "/v1%2fencrypt", "//v1/encrypt", "/v1/../v1/encrypt", "/v1/encrypt/", "/V1/encrypt"} {
		require.Equal(t, 404, send(path, ""), path)
	}
	for _, header := range []string{"Content-Type: text/plain\r\n", "Content-Encoding:\r\nContent-Encoding: gzip\r\n"} {
		require.Equal(t, 415, send("/v1/encrypt", header), header)
	}
}

func TestBase64HasNoLineBreaks(t *testing.T) {
	c := start(t, nil).client(t, "app")
	for _, value := range []string{"aGk=\n", "aG\r\nk=", "\n", "aGk", "aGl=", "a-_="} {
		_, err := c.Encrypt(t.Context(), "acme", []api.EncryptItem{{Field: "f", Value: value, Encoding: api.Base64}})
		require.Equal(t, api.BadItem, codeOf(t, err), "%q", value)
	}
}

func TestTooManyItems(t *testing.T) {
	r := start(t, nil)
	items := make([]api.EncryptItem, api.MaxItems+1)
	for i := range items {
		items[i] = api.EncryptItem{Field: "f", Value: "x"}
	}
	_, err := r.client(t, "app").Encrypt(t.Context(), "acme", items)
	require.Equal(t, api.TooManyItems, codeOf(t, err))
	results, err := r.client(t, "app").Encrypt(t.Context(), "acme", items[1:])
	require.NoError(t, err)
	require.Len(t, results, api.MaxItems)
}

func TestSlowClients(t *testing.T) {
	r := start(t, func(c *Config) { c.ReadTimeout = 100 * time.Millisecond })
	t.Run("a body that does not arrive", func(t *testing.T) {
		resp, err := raw(t, r, head(t, r, "Content-Length: 100\r\n")+"{")
		require.NoError(t, err)
		defer resp.Body.Close()
		require.Equal(t, 408, resp.StatusCode)
	})
	t.Run("headers that do not end", func(t *testing.T) {
		_, err := raw(t, r, "POST /v1/encrypt HTTP/1.1\r\nHost: localhost\r\n")
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})
	t.Run("a body that ends early", func(t *testing.T) {
		conn, err := net.Dial("unix", r.Socket())
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, head(t, r, "Content-Length: 100\r\n")+"{")
		require.NoError(t, err)
		require.NoError(t, conn.(*net.UnixConn).CloseWrite())
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		defer resp.Body.Close()
		require.Equal(t, 400, resp.StatusCode)
	})
}

func TestBusy(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	r := start(t, func(c *Config) {
		c.MaxInFlight = 1
		c.Keys = &fakeKeys{encrypt: func(context.Context, []byte) ([]byte, error) {
			entered <- struct{}{}
			<-leave
			return []byte("x"), nil
		}}
	})
	c := r.client(t, "app")
	first := make(chan error)
	go func() {
		_, err := c.Encrypt(context.Background(), "acme", one)
		first <- err
	}()
	<-entered
	_, err := c.Encrypt(t.Context(), "acme", one)
	var p *api.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, api.Busy, p.Code)
	require.True(t, p.Retryable())
	close(leave)
	require.NoError(t, <-first)
}

func TestWhatKeysAnswer(t *testing.T) {
	var result atomic.Pointer[error]
	r := start(t, func(c *Config) {
		c.RequestTimeout = 50 * time.Millisecond
		c.Keys = &fakeKeys{encrypt: func(ctx context.Context, _ []byte) ([]byte, error) {
			err := *result.Load()
			if errors.Is(err, context.DeadlineExceeded) {
				<-ctx.Done()
			}
			return nil, err
		}}
	})
	c := r.client(t, "app")
	for _, test := range []struct {
		err              error
		encrypt, decrypt api.Code
	}{
		{crypto.ErrErased, api.SubjectErased, api.DecryptFailed},
		{crypto.ErrContext, api.BadItem, api.DecryptFailed},
		{crypto.ErrTooLarge, api.BadItem, api.BadItem},
		{crypto.ErrKeyring, api.Internal, api.Internal},
		{kms.ErrUnavailable, api.KeysUnavailable, api.KeysUnavailable},
		{kms.ErrDenied, api.KeysRefused, api.KeysRefused},
		{kms.ErrInvalid, api.Internal, api.Internal},
		{errors.New("the keystore is away"), api.KeysUnavailable, api.KeysUnavailable},
		{context.DeadlineExceeded, api.DeadlineExceeded, api.DeadlineExceeded},
	} {
		result.Store(new(fmt.Errorf("wrapped: %w", test.err)))
		_, err := c.Encrypt(t.Context(), "acme", one)
		require.Equal(t, test.encrypt, codeOf(t, err), test.err)
		_, err = c.Decrypt(t.Context(), "acme", []api.DecryptItem{{Field: "customer.email", Value: "pvt1.AQ"}})
		require.Equal(t, test.decrypt, codeOf(t, err), test.err)
	}
	result.Store(&kms.ErrUnavailable)
	_, err := c.Decrypt(t.Context(), "acme", []api.DecryptItem{{Field: "customer.email", Value: "pvt1.AQ"}})
	require.Equal(t, api.KeysUnavailable, codeOf(t, err))
	_, _, err = c.MaskOne(t.Context(), "acme", "email", "jane@example.com")
	require.Equal(t, api.KeysUnavailable, codeOf(t, err))
}

func TestAPanicEndsOneRequest(t *testing.T) {
	var bad atomic.Bool
	bad.Store(true)
	r := start(t, func(c *Config) {
		c.Keys = &fakeKeys{encrypt: func(_ context.Context, p []byte) ([]byte, error) {
			if bad.Load() {
				panic("canary: " + string(p))
			}
			return []byte("x"), nil
		}}
	})
	c := r.client(t, "app")
	_, err := c.Encrypt(t.Context(), "acme", one)
	require.Equal(t, api.Internal, codeOf(t, err))
	require.Contains(t, r.log.String(), "a request panicked")
	require.NotContains(t, r.log.String(), "canary")
	bad.Store(false)
	_, err = c.Encrypt(t.Context(), "acme", one)
	require.NoError(t, err)
}

// Whatever is sent, and wherever it is put, the sidecar repeats none of it, to
// nobody. Only a ref comes back, and to its sender.
func TestValuesStayWhereTheyAre(t *testing.T) {
	const canary = "kanarienvogel"
	r := start(t, nil)
	var answers strings.Builder
	post := func(path, body, header string) {
		resp, err := raw(t, r, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nX-Privet: 1\r\nContent-Type: application/json\r\n"+header+
			"Authorization: Bearer "+r.token(t, "app")+"\r\nContent-Length: "+fmt.Sprint(len(body))+"\r\n\r\n"+body)
		require.NoError(t, err)
		defer resp.Body.Close()
		require.NoError(t, resp.Header.Write(&answers))
		_, err = io.Copy(&answers, resp.Body)
		require.NoError(t, err)
	}
	for _, item := range []string{
		`{"field":"f","value":"` + canary + `","encoding":"base64"}`,
		`{"field":"` + canary + `","value":"?","encoding":"base64"}`,
		`{"field":"f","subject":"` + canary + `","value":"?","encoding":"base64"}`,
		`{"field":"f","value":"x","encoding":"` + canary + `"}`,
		`{"` + canary + `":"f"}`, `{"field":"f","value":"x"` + canary, `"` + canary + `"`,
		`{"rule":"` + canary + `","value":"x"}`, `{"rule":"email(` + canary + `=1)","value":"x"}`, `{"rule":"fpe(keep_last=` + canary + `)","value":"x"}`,
		`{"rule":"uuid","value":"` + canary + `"}`, `{"rule":"number_noise","value":"` + canary + `","sql_type":"numeric"}`,
		`{"rule":"date_shift(days=3)","value":"` + canary + `","sql_type":"date"}`, `{"rule":"fpe","value":"` + canary + `","type":"card_number"}`,
		`{"rule":"constant(` + canary + `)","value":"x","sql_type":"int8"}`, `{"rule":"email(domain=` + canary + `)","value":"x","sql_type":"int8"}`,
		`{"rule":"null","value":"x","sql_type":"` + canary + `"}`, `{"rule":"null","value":"x","type":"` + canary + `"}`,
		`{"rule":"redact_text","value":"` + canary + `","sql_type":"int8"}`,
	} {
		for _, path := range []string{api.PathEncrypt, api.PathDecrypt, api.PathMask} {
			post(path, `{"tenant":"acme","items":[`+item+`]}`, "")
		}
	}
	post(api.PathEncrypt, `{"tenant":"`+canary+`","items":[{"field":"f","value":"x"}]}`, "")
	post(api.PathEncrypt, canary, "")
	post(api.PathEncrypt, "{}", "X-Request-Id: "+canary+"@example.com\r\n")
	post(api.PathEncrypt, "{}", "X-Forwarded-"+canary+": 1\r\n")
	post(api.PathEncrypt, "{}", "Origin: "+canary+"\r\n")
	post("/v1/"+canary, "{}", "")
	post("/v1/encrypt?"+canary, "{}", "")
	require.NotContains(t, answers.String(), canary)
	require.NoError(t, r.stop())
	require.NotContains(t, r.log.String(), canary)
	require.NotContains(t, r.log.String(), r.token(t, "app"))
	require.Contains(t, r.log.String(), `"caller":"app"`)
	for line := range strings.Lines(r.log.String()) {
		require.True(t, json.Valid([]byte(line)), line)
	}
}

func TestConcurrentUse(t *testing.T) {
	r := start(t, nil)
	var wg sync.WaitGroup
	for g := range 8 {
		c := r.client(t, "app")
		wg.Go(func() {
			for i := range 20 {
				at := client.At{Tenant: "acme", Subject: fmt.Sprint(g), Field: "customer.email"}
				want := fmt.Sprintf("value %d of %d", i, g)
				ct, err := c.EncryptOne(context.Background(), at, []byte(want))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := c.DecryptOne(context.Background(), at, ct)
				if err != nil || string(got) != want {
					t.Errorf("%q came back as %q: %v", want, got, err)
				}
			}
		})
	}
	wg.Wait()
}
