package kmstest

import (
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A request has the members of all operations; []byte is base64, as in the protocol.
type request struct {
	KeyID               string            `json:"KeyId"`
	Plaintext           []byte            `json:"Plaintext"`
	CiphertextBlob      []byte            `json:"CiphertextBlob"`
	EncryptionContext   map[string]string `json:"EncryptionContext"`
	EncryptionAlgorithm string            `json:"EncryptionAlgorithm"`
	KeySpec             string            `json:"KeySpec"`
	KeyUsage            string            `json:"KeyUsage"`
	NumberOfBytes       *int              `json:"NumberOfBytes"`
	AliasName           string            `json:"AliasName"`
	TargetKeyID         string            `json:"TargetKeyId"`
	PendingWindowInDays *int              `json:"PendingWindowInDays"`
}

type object = map[string]any

// The service's limits.
const (
	maxPlaintext  = 4096
	maxBlob       = 6144
	maxRandomKey  = 1024
	minWindow     = 7
	maxWindow     = 30
	defaultWindow = 30
)

const algorithm = "SYMMETRIC_DEFAULT"

// serve does one operation.
func (s *Server) serve(op string, req *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch op {
	case "Encrypt":
		return s.encrypt(req)
	case "Decrypt":
		return s.decrypt(req)
	case "GenerateDataKey", "GenerateDataKeyWithoutPlaintext":
		return s.generateDataKey(req, op == "GenerateDataKey")
	case "CreateKey":
		return s.createKey(req)
	case "DescribeKey":
		k, err := s.known(req.KeyID)
		if err != nil {
			return nil, err
		}
		return object{"KeyMetadata": k.metadata()}, nil
	case "EnableKey":
		return nil, s.switchKey(req.KeyID, stateEnabled)
	case "DisableKey":
		return nil, s.switchKey(req.KeyID, stateDisabled)
	case "ScheduleKeyDeletion":
		return s.scheduleDeletion(req)
	case "CancelKeyDeletion":
		return s.cancelDeletion(req)
	case "CreateAlias":
		return nil, s.createAlias(req)
	case "UpdateAlias":
		return nil, s.updateAlias(req)
	case "DeleteAlias":
		if _, ok := s.aliases[req.AliasName]; !ok {
			return nil, refuse(http.StatusBadRequest, "NotFoundException", "Alias %s is not found.", aliasARN(req.AliasName))
		}
		delete(s.aliases, req.AliasName)
		return nil, nil
	case "ListAliases":
		return s.listAliases(req)
	}
	return nil, refuse(http.StatusBadRequest, "UnknownOperationException", "kmstest does not know %s", op)
}

func (s *Server) encrypt(req *request) (any, error) {
	if n := len(req.Plaintext); n < 1 || n > maxPlaintext {
		return nil, refuse(http.StatusBadRequest, "ValidationException", "1 validation error detected: 'plaintext' has %d bytes", n)
	}
	k, err := s.usable(req.KeyID)
	if err != nil {
		return nil, err
	}
	return object{"CiphertextBlob": k.seal(req.Plaintext, req.EncryptionContext), "KeyId": k.arn(), "EncryptionAlgorithm": algorithm}, nil
}

func (s *Server) decrypt(req *request) (any, error) {
	if n := len(req.CiphertextBlob); n < 1 || n > maxBlob {
		return nil, refuse(http.StatusBadRequest, "ValidationException", "1 validation error detected: 'ciphertextBlob' has %d bytes", n)
	}
	k, plaintext, err := s.open(req.CiphertextBlob, req.KeyID, req.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return object{"Plaintext": plaintext, "KeyId": k.arn(), "EncryptionAlgorithm": algorithm}, nil
}

func (s *Server) generateDataKey(req *request, withPlaintext bool) (any, error) {
	size := 0
	switch {
	case req.NumberOfBytes != nil && req.KeySpec == "":
		size = *req.NumberOfBytes
	case req.NumberOfBytes == nil && req.KeySpec == "AES_256":
		size = 32
	case req.NumberOfBytes == nil && req.KeySpec == "AES_128":
		size = 16
	}
	if size < 1 || size > maxRandomKey {
		return nil, refuse(http.StatusBadRequest, "ValidationException", "Please specify either number of bytes or key spec.")
	}
	k, err := s.usable(req.KeyID)
	if err != nil {
		return nil, err
	}
	plaintext := make([]byte, size)
	rand.Read(plaintext)
	out := object{"CiphertextBlob": k.seal(plaintext, req.EncryptionContext), "KeyId": k.arn()}
	if withPlaintext {
		out["Plaintext"] = plaintext
	}
	return out, nil
}

func (s *Server) createKey(req *request) (any, error) {
	if req.KeySpec != "" && req.KeySpec != algorithm || req.KeyUsage != "" && req.KeyUsage != "ENCRYPT_DECRYPT" {
		return nil, refuse(http.StatusBadRequest, "UnsupportedOperationException", "kmstest makes symmetric encryption keys only")
	}
	return object{"KeyMetadata": s.newKey().metadata()}, nil
}

func (k *key) metadata() object {
	m := object{
		"AWSAccountId": Account, "KeyId": k.id, "Arn": k.arn(),
		"CreationDate": float64(k.created.UnixMilli()) / 1000,
		"Enabled":      k.state == stateEnabled, "KeyState": k.state,
		"KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": algorithm, "CustomerMasterKeySpec": algorithm,
		"KeyManager": "CUSTOMER", "Origin": "AWS_KMS", "MultiRegion": false,
		"EncryptionAlgorithms": []string{algorithm},
	}
	if k.state == statePendingDeletion {
		m["DeletionDate"] = float64(k.deletion.UnixMilli()) / 1000
	}
	return m
}

func (s *Server) switchKey(name, state string) error {
	k, err := s.known(name)
	if err != nil {
		return err
	}
	if k.state == statePendingDeletion {
		return k.check()
	}
	k.state = state
	return nil
}

func (s *Server) scheduleDeletion(req *request) (any, error) {
	k, err := s.known(req.KeyID)
	if err != nil {
		return nil, err
	}
	days := defaultWindow
	if req.PendingWindowInDays != nil {
		days = *req.PendingWindowInDays
	}
	if days < minWindow || days > maxWindow {
		return nil, refuse(http.StatusBadRequest, "ValidationException", "1 validation error detected: 'pendingWindowInDays' is %d", days)
	}
	if k.state == statePendingDeletion {
		return nil, k.check()
	}
	k.state, k.deletion = statePendingDeletion, time.Now().Add(time.Duration(days)*24*time.Hour)
	return object{
		"KeyId": k.arn(), "KeyState": k.state, "PendingWindowInDays": days,
		"DeletionDate": float64(k.deletion.UnixMilli()) / 1000,
	}, nil
}

func (s *Server) cancelDeletion(req *request) (any, error) {
	k, err := s.known(req.KeyID)
	if err != nil {
		return nil, err
	}
	if k.state != statePendingDeletion {
		return nil, refuse(http.StatusBadRequest, "KMSInvalidStateException", "%s is not pending deletion.", k.arn())
	}
	k.state = stateDisabled
	return object{"KeyId": k.arn()}, nil
}

func (s *Server) createAlias(req *request) error {
	if !strings.HasPrefix(req.AliasName, "alias/") || strings.HasPrefix(req.AliasName, "alias/aws/") {
		return refuse(http.StatusBadRequest, "InvalidAliasNameException", "an alias begins with alias/, and not with alias/aws/")
	}
	if _, ok := s.aliases[req.AliasName]; ok {
		return refuse(http.StatusBadRequest, "AlreadyExistsException", "An alias with the name %s already exists", aliasARN(req.AliasName))
	}
	return s.point(req)
}

func (s *Server) updateAlias(req *request) error {
	if _, ok := s.aliases[req.AliasName]; !ok {
		return refuse(http.StatusBadRequest, "NotFoundException", "Alias %s is not found.", aliasARN(req.AliasName))
	}
	return s.point(req)
}

func (s *Server) point(req *request) error {
	k, err := s.known(req.TargetKeyID)
	if err != nil {
		return err
	}
	s.aliases[req.AliasName] = k.id
	return nil
}

func (s *Server) listAliases(req *request) (any, error) {
	var only *key
	if req.KeyID != "" {
		var err error
		if only, err = s.known(req.KeyID); err != nil {
			return nil, err
		}
	}
	list := []object{}
	for _, name := range slices.Sorted(maps.Keys(s.aliases)) {
		if id := s.aliases[name]; only == nil || id == only.id {
			list = append(list, object{"AliasName": name, "AliasArn": aliasARN(name), "TargetKeyId": id})
		}
	}
	return object{"Aliases": list, "Truncated": false}, nil
}
