package deployment

import (
	"os"
	"path/filepath"

	"github.com/privet-dev/privet/access"
	"github.com/privet-dev/privet/internal/fault"
)

// The files of an embedded deployment, in its state folder.
const (
	keyFile      = "key.json"
	keystoreFile = "keystore.db"
	ledgerFile   = "ledger.db"
	tokenFile    = "token"
	socketFile   = "run/api.sock"
)

// Default returns the embedded deployment in the folder state; "" means the
// user's: $XDG_STATE_HOME/privet, or ~/.local/state/privet. It has one caller,
// dev, known by the process's own uid or by the token file, who may do every
// operation for every tenant: whoever can read the folder has the keys anyway.
// Nothing is created before [Open].
func Default(state string) (*Config, error) {
	if state == "" {
		base := os.Getenv("XDG_STATE_HOME")
		// The XDG specification has relative paths ignored.
		if !filepath.IsAbs(base) {
			home, err := os.UserHomeDir()
			if err != nil {
				return nil, fault.New(fault.Config, "no state folder: %v", err).
					WithHint("set HOME or XDG_STATE_HOME, or name a deployment file by --config")
			}
			base = filepath.Join(home, ".local", "state")
		}
		state = filepath.Join(base, "privet")
	}
	state, err := filepath.Abs(state)
	if err != nil {
		return nil, fault.New(fault.Config, "state folder: %v", err)
	}
	c := &Config{
		Version: 1,
		Keys: Keys{
			KEK:      "file:" + filepath.Join(state, keyFile),
			Keystore: "sqlite:" + filepath.Join(state, keystoreFile),
			Ledger:   "sqlite:" + filepath.Join(state, ledgerFile),
		},
		Listen:  Listen{Unix: filepath.Join(state, filepath.FromSlash(socketFile))},
		Callers: map[string]Caller{"dev": {TokenFile: filepath.Join(state, tokenFile), Roles: []string{"dev"}}},
		Roles:   map[string][]Rule{"dev": {{Do: access.Operations(), Tenants: []string{"*"}}}},
		state:   state,
	}
	// Getuid is -1 where there are no uids.
	if uid := os.Getuid(); uid >= 0 && uid != nobody {
		dev := c.Callers["dev"]
		dev.UID = new(uint32(uid))
		c.Callers["dev"] = dev
	}
	return c, nil
}
