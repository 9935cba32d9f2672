//go:build !unix

package deployment

// privateFolder accepts: access lists, not mode bits, decide on this system.
func privateFolder(string) error { return nil }
