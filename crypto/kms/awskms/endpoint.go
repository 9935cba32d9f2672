package awskms

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/privet-dev/privet/internal/fault"
)

// checkEndpoint returns an error unless requests may go to that endpoint, wherever it
// was configured. Requests and answers hold keys in clear below TLS, so plain HTTP
// stays on this machine unless the configuration says why it may leave it.
func (c *Config) checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return fault.New(fault.Config, "awskms: the endpoint of the key %s is no URL of a service", c.KeyID).
			WithHint("write https://host or https://host:port, without a user, in Config.Endpoint, AWS_ENDPOINT_URL_KMS or the AWS configuration file")
	}
	if u.Scheme == "https" || loopback(u.Hostname()) || strings.TrimSpace(c.InsecureEndpoint) != "" {
		return nil
	}
	return fault.New(fault.Config, "awskms: the endpoint of the key %s is plain HTTP to %s: keys would cross the network in clear", c.KeyID, u.Host).
		WithHint("use https; or where something else protects the way, say what in Config.InsecureEndpoint (look at AWS_ENDPOINT_URL_KMS and AWS_ENDPOINT_URL too)")
}

// loopback reports whether host is this machine by its address or its one reserved
// name. No name is looked up.
func loopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
