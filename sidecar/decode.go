package sidecar

import (
	"errors"
	"fmt"
	"strings"

	"github.com/privet-dev/privet/sidecar/api"
	"github.com/privet-dev/privet/sidecar/internal/strictjson"
)

var batchNames = []string{"tenant", "items"}

// decodeBatch reads {"tenant": …, "items": […]}; item reads one element. limit is
// the most items.
func decodeBatch[T any](body []byte, limit int, item func(r *strictjson.Reader, v *T) error) (tenant string, items []T, problem *api.Problem) {
	r := strictjson.New(body)
	seen, err := r.Object(batchNames, func(i int) (err error) {
		if i == 0 {
			tenant, err = r.String()
			return err
		}
		return r.Array(limit, func(int) error {
			var v T
			err := item(r, &v)
			items = append(items, v)
			return err
		})
	})
	if err == nil {
		err = r.End()
	}
	switch {
	case errors.Is(err, strictjson.ErrTooMany):
		return "", nil, api.NewProblem(api.TooManyItems, fmt.Sprintf("at most %d", limit))
	case err != nil:
		return "", nil, badRequest(err)
	case seen&1 == 0 || tenant == "":
		p := api.NewProblem(api.BadRequest, "the request names no tenant")
		p.Pointer = "/tenant"
		return "", nil, p
	case len(items) == 0:
		p := api.NewProblem(api.BadRequest, "the request has no items")
		p.Pointer = "/items"
		return "", nil, p
	}
	return tenant, items, nil
}

func badRequest(err error) *api.Problem {
	p := api.NewProblem(api.BadRequest, "")
	if e, ok := errors.AsType[*strictjson.Error](err); ok {
		p.Detail, p.Pointer = fmt.Sprintf("%s (at byte %d)", e.Msg, e.Offset), e.Pointer
	}
	return p
}

var cryptNames = []string{"ref", "field", "subject", "value", "encoding"}

// decodeCrypt reads an item of encrypt or decrypt, which have the same members.
func decodeCrypt(r *strictjson.Reader, v *api.EncryptItem) error {
	seen, err := r.Object(cryptNames, func(i int) (err error) {
		switch i {
		case 0:
			v.Ref, err = ref(r)
		case 1:
			v.Field, err = r.String()
		case 2:
			v.Subject, err = r.String()
		case 3:
			v.Value, err = r.String()
		case 4:
			if v.Encoding, err = r.String(); err == nil && v.Encoding != "" && v.Encoding != api.Base64 {
				err = r.Fail(`the encoding is "" or "base64"`)
			}
		}
		return err
	})
	return missing(r, err, seen, cryptNames, "field", "value")
}

var maskNames = []string{"ref", "rule", "value", "type", "sql_type", "max_length", "subject"}

func decodeMask(r *strictjson.Reader, v *api.MaskItem) error {
	seen, err := r.Object(maskNames, func(i int) (err error) {
		switch i {
		case 0:
			v.Ref, err = ref(r)
		case 1:
			v.Rule, err = r.String()
		case 2:
			v.Value, err = r.String()
		case 3:
			v.Type, err = r.String()
		case 4:
			v.SQLType, err = r.String()
		case 5:
			v.MaxLength, err = r.Int(1 << 30)
		case 6:
			v.Subject, err = r.String()
		}
		return err
	})
	return missing(r, err, seen, maskNames, "rule", "value")
}

// missing says which of the mandatory names an object lacks.
func missing(r *strictjson.Reader, err error, seen uint64, names []string, mandatory ...string) error {
	if err != nil {
		return err
	}
	var absent []string
	for i, name := range names {
		for _, m := range mandatory {
			if name == m && seen&(1<<i) == 0 {
				absent = append(absent, name)
			}
		}
	}
	if len(absent) > 0 {
		return r.Fail("the item has no " + strings.Join(absent, " and no "))
	}
	return nil
}

func ref(r *strictjson.Reader) (string, error) {
	s, err := r.String()
	if err == nil && len(s) > api.MaxRef {
		err = r.Fail(fmt.Sprintf("a ref has at most %d bytes", api.MaxRef))
	}
	return s, err
}
