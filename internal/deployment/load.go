package deployment

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/privet-dev/privet/internal/fault"
)

// EnvConfig names the environment variable with the path of deployment.yaml.
const EnvConfig = "PRIVET_CONFIG"

// Load reads and checks the deployment file at path. An empty path means the
// one that PRIVET_CONFIG names, and where that is not set either, the embedded
// defaults in the user's state folder (see [Default]). Errors are *fault.Error
// of kind Config that say file, line and column.
func Load(path string) (*Config, error) {
	if path == "" {
		path = os.Getenv(EnvConfig)
	}
	if path == "" {
		return Default("")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fault.New(fault.Config, "deployment file: %v", err)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Config, "deployment file %s does not exist", path).
			WithHint("--config or %s names it; without both, embedded defaults are used", EnvConfig)
	}
	if err != nil {
		return nil, fault.New(fault.Config, "deployment file: %v", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fault.New(fault.Config, "deployment file: %v", err)
	}
	if info.IsDir() {
		return nil, fault.New(fault.Config, "deployment file %s is a folder", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fault.New(fault.Config, "deployment file: %v", err)
	}
	c, err := Parse(path, data)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0 {
		for _, conn := range c.connections() {
			if holdsPassword(conn.text) {
				return nil, fault.New(fault.Config, "%s: %s holds a password, and other users may read the file", c.At(conn.path), conn.path).
					WithHint("chmod o= %s, or use a pg_service entry or ~/.pgpass instead of a password in the file", path)
			}
		}
	}
	return c, nil
}

// Parse checks the text of a deployment file; name is what errors call it, and
// relative paths in it are taken from name's folder. A file that says nothing of
// keys (a DBA's, with targets alone) has those of [Default].
func Parse(name string, data []byte) (*Config, error) {
	d := &decoder{file: name, places: positions{}}
	c := &Config{}
	if err := d.decode(data, c); err != nil {
		return nil, err
	}
	c.file, c.places = name, d.places
	if _, ok := d.places["keys"]; !ok {
		embedded, err := Default("")
		if err != nil {
			return nil, err
		}
		c.Keys, c.state = embedded.Keys, embedded.state
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}
