package kmstest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The states of a key, as DescribeKey names them.
const (
	stateEnabled                = "Enabled"
	stateDisabled               = "Disabled"
	statePendingDeletion        = "PendingDeletion"
	statePendingReplicaDeletion = "PendingReplicaDeletion"
)

type key struct {
	id          string
	region      string
	description string
	created     time.Time
	state       string
	window      int // days, while deletion is pending
	deletion    time.Time
	multiRegion bool
	line        *line
	rotations   int // on demand
}

func (k *key) arn() string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", k.region, Account, k.id)
}

func (k *key) isPrimary() bool { return k.line.primary == k.region }

func (s *Server) aliasARN(name string) string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:%s", s.Region, Account, name)
}

// CreateKey makes a symmetric key and returns its id. Each alias, "alias/name",
// points at it.
func (s *Server) CreateKey(aliases ...string) string { return s.create(false, aliases) }

// CreateMultiRegionKey is CreateKey for a key that [Server.Replicate] takes to other
// regions.
func (s *Server) CreateMultiRegionKey(aliases ...string) string { return s.create(true, aliases) }

func (s *Server) create(multiRegion bool, aliases []string) string {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	k := s.newKey(multiRegion)
	for _, a := range aliases {
		s.aliases[a] = k.id
	}
	return k.id
}

// Disable disables the key of that id, ARN or alias; Enable enables it again.
func (s *Server) Disable(keyID string) { s.with(keyID, func(k *key) { k.state = stateDisabled }) }

// Enable enables a key.
func (s *Server) Enable(keyID string) { s.with(keyID, func(k *key) { k.state = stateEnabled }) }

// Destroy deletes a key at once, which the real service takes at least a week for.
func (s *Server) Destroy(keyID string) { s.with(keyID, s.destroy) }

// Rotate gives a key new material at once, and returns the material's id.
// Ciphertexts of the former material stay good.
func (s *Server) Rotate(keyID string) (materialID string) {
	s.with(keyID, func(k *key) {
		k.line.materials = append(k.line.materials, newMaterial())
		materialID = k.line.current().name()
	})
	return materialID
}

// Material returns the id of a key's current material.
func (s *Server) Material(keyID string) (materialID string) {
	s.with(keyID, func(k *key) { materialID = k.line.current().name() })
	return materialID
}

// Replicate makes a replica of a multi-Region key in another region, with the same id
// and material, and returns that region's server.
func (s *Server) Replicate(keyID, region string) *Server {
	s.with(keyID, func(k *key) {
		if _, err := s.replicate(k, region); err != nil {
			panic("kmstest: " + err.Error())
		}
	})
	return s.In(region)
}

// with calls f with the key of that name, which must be there.
func (s *Server) with(keyID string, f func(*key)) {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	k := s.resolve(keyID)
	if k == nil {
		panic("kmstest: no key " + keyID)
	}
	f(k)
}

// newKey makes a key. The mutex is held.
func (s *Server) newKey(multiRegion bool) *key {
	var b [16]byte
	rand.Read(b[:])
	id := fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	if multiRegion {
		id = "mrk-" + hex.EncodeToString(b[:])
	}
	k := &key{
		id: id, region: s.Region, created: time.Now(), state: stateEnabled, multiRegion: multiRegion,
		line: &line{materials: []*material{newMaterial()}, primary: s.Region},
	}
	k.line.members = map[string]*key{s.Region: k}
	s.keys[id] = k
	return k
}

// replicate makes the replica of k in a region. The mutex is held.
func (s *Server) replicate(k *key, region string) (*key, error) {
	switch {
	case !k.multiRegion || !k.isPrimary():
		return nil, refuse(http.StatusBadRequest, "UnsupportedOperationException", "%s is not a multi-Region primary key.", k.arn())
	case region == "" || region == k.region:
		return nil, refuse(http.StatusBadRequest, "ValidationException", "The replica Region must differ from the Region of the primary key.")
	case k.line.members[region] != nil:
		return nil, refuse(http.StatusBadRequest, "AlreadyExistsException", "%s has a replica in %s.", k.arn(), region)
	}
	r := &key{id: k.id, region: region, created: time.Now(), state: stateEnabled, multiRegion: true, line: k.line}
	k.line.members[region] = r
	s.account.in(region).keys[r.id] = r
	return r, nil
}

// destroy deletes k. Where it was the last replica that the primary key waited for,
// the primary's own waiting period begins. The mutex is held.
func (s *Server) destroy(k *key) {
	delete(s.keys, k.id)
	delete(k.line.members, k.region)
	if p := k.line.members[k.line.primary]; p != nil && len(k.line.members) == 1 && p.state == statePendingReplicaDeletion {
		p.expire()
	}
}

// expire starts the waiting period of k.
func (k *key) expire() {
	k.state, k.deletion = statePendingDeletion, time.Now().Add(time.Duration(k.window)*24*time.Hour)
}

// resolve returns the key of an id, ARN, alias or alias's ARN, or nil. The mutex is
// held.
func (s *Server) resolve(name string) *key {
	name = strings.TrimPrefix(name, s.aliasARN(""))
	if id, ok := s.aliases[name]; ok {
		return s.keys[id]
	}
	return s.keys[strings.TrimPrefix(name, "key/")]
}

// usable returns the key of that name, or what the service answers in its place.
func (s *Server) usable(name string) (*key, error) {
	k, err := s.known(name)
	if err != nil {
		return nil, err
	}
	return k, k.check()
}

// known is usable for operations that work on keys in any state.
func (s *Server) known(name string) (*key, error) {
	const bad = http.StatusBadRequest
	if name == "" {
		return nil, refuse(bad, "ValidationException", "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	if strings.HasPrefix(name, "arn:") {
		switch parts := strings.SplitN(name, ":", 6); {
		case len(parts) != 6 || parts[2] != "kms" || !strings.HasPrefix(parts[5], "key/") && !strings.HasPrefix(parts[5], "alias/"):
			return nil, refuse(bad, "InvalidArnException", "%s is not a valid ARN", name)
		case parts[3] != s.Region:
			return nil, refuse(bad, "NotFoundException", "Invalid arn %s", parts[3])
		case parts[4] != Account:
			return nil, refuse(bad, "AccessDeniedException", "The resource %s is of another account", name)
		}
	}
	if k := s.resolve(name); k != nil {
		return k, nil
	}
	rest := strings.TrimPrefix(name, s.aliasARN(""))
	if strings.HasPrefix(rest, "alias/") {
		return nil, refuse(bad, "NotFoundException", "Alias %s is not found.", s.aliasARN(rest))
	}
	return nil, refuse(bad, "NotFoundException", "Key '%s' does not exist", s.aliasARN("key/"+strings.TrimPrefix(rest, "key/")))
}

// named is known for operations that take a key's id or ARN and no alias.
func (s *Server) named(name string) (*key, error) {
	if strings.HasPrefix(strings.TrimPrefix(name, s.aliasARN("")), "alias/") {
		return nil, refuse(http.StatusBadRequest, "NotFoundException", "Invalid keyId '%s'", name)
	}
	return s.known(name)
}

// check returns what the service answers while the key is in this state.
func (k *key) check() error {
	switch k.state {
	case stateDisabled:
		return refuse(http.StatusBadRequest, "DisabledException", "%s is disabled.", k.arn())
	case statePendingDeletion:
		return refuse(http.StatusBadRequest, "KMSInvalidStateException", "%s is pending deletion.", k.arn())
	case statePendingReplicaDeletion:
		return refuse(http.StatusBadRequest, "KMSInvalidStateException", "%s is pending replica deletion.", k.arn())
	}
	return nil
}

// dying reports whether deletion is pending.
func (k *key) dying() bool {
	return k.state == statePendingDeletion || k.state == statePendingReplicaDeletion
}

func (k *key) metadata() object {
	m := object{
		"AWSAccountId": Account, "KeyId": k.id, "Arn": k.arn(), "Description": k.description,
		"CreationDate": seconds(k.created), "Enabled": k.state == stateEnabled, "KeyState": k.state,
		"KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": algorithm, "CustomerMasterKeySpec": algorithm,
		"KeyManager": "CUSTOMER", "Origin": "AWS_KMS", "MultiRegion": k.multiRegion,
		"EncryptionAlgorithms": []string{algorithm}, "CurrentKeyMaterialId": k.line.current().name(),
	}
	switch k.state {
	case statePendingDeletion:
		m["DeletionDate"] = seconds(k.deletion)
	case statePendingReplicaDeletion:
		m["PendingDeletionWindowInDays"] = k.window
	}
	if k.multiRegion {
		m["MultiRegionConfiguration"] = k.multiRegionConfiguration()
	}
	return m
}

func (k *key) multiRegionConfiguration() object {
	kind := "REPLICA"
	if k.isPrimary() {
		kind = "PRIMARY"
	}
	place := func(region string) object {
		return object{"Region": region, "Arn": fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", region, Account, k.id)}
	}
	replicas := []object{}
	for region := range k.line.members {
		if region != k.line.primary {
			replicas = append(replicas, place(region))
		}
	}
	slices.SortFunc(replicas, func(a, b object) int { return strings.Compare(a["Region"].(string), b["Region"].(string)) })
	return object{"MultiRegionKeyType": kind, "PrimaryKey": place(k.line.primary), "ReplicaKeys": replicas}
}

// seconds is how the protocol writes a time.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
