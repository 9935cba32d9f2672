package crypto

// Check returns an error that matches [ErrContext] unless values can be encrypted at
// c: a tenant and a field are named, and nothing is too long or malformed.
func (c Context) Check() error {
	if err := c.check(); err != nil {
		return err
	}
	for i := range len(c.Tenant) {
		if b := c.Tenant[i]; b < ' ' || b >= 0x7f { // not plain ASCII: look closer
			return checkName("tenant", c.Tenant)
		}
	}
	return nil
}

// AppendAssociatedData appends what a value's ciphertext is bound to:
//
//	"privet/1" ‖ lp(tenant) ‖ lp(subject) ‖ lp(field)    with lp(x) = u32be(len x) ‖ x
//
// Whoever opens our ciphertexts with Tink gives it to Tink as associated data.
func (c Context) AppendAssociatedData(dst []byte) []byte { return c.appendAD(dst) }
