package envelope

// Held returns how many keys a client holds for encrypting and for decrypting.
func Held(c *Client) (writing, reading int) { return c.writing.keys.size(), c.reading.keys.size() }
