package api

import (
	"encoding/json"

	"github.com/privet-dev/privet/sidecar/internal/strictjson"
)

// A Result is what became of one item: a value or a problem.
type Result struct {
	// Ref is the item's.
	Ref string `json:"ref,omitempty"`
	// Value is the result; nil stands for NULL (a masking rule's), or for a problem.
	Value *string `json:"value"`
	// Problem says why there is no value; nil where the item was done.
	Problem *Problem `json:"problem,omitempty"`
}

// MarshalJSON writes the value, null included, or the problem, never both.
func (r Result) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil) }

// AppendJSON appends what MarshalJSON returns.
func (r Result) AppendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, '{')
	if r.Ref != "" {
		dst = append(strictjson.AppendString(append(dst, `"ref":`...), r.Ref), ',')
	}
	switch {
	case r.Problem != nil:
		p, err := json.Marshal(r.Problem)
		if err != nil {
			return nil, err
		}
		dst = append(append(dst, `"problem":`...), p...)
	case r.Value == nil:
		dst = append(dst, `"value":null`...)
	default:
		dst = strictjson.AppendString(append(dst, `"value":`...), *r.Value)
	}
	return append(dst, '}'), nil
}

// AppendJSON appends the response as JSON.
func (r Response) AppendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, `{"items":[`...)
	for i := range r.Items {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = r.Items[i].AppendJSON(dst); err != nil {
			return nil, err
		}
	}
	return append(dst, "]}"...), nil
}
