package kmstest

import (
	"crypto/rand"
	"net/http"
)

// A request has the members of all operations; []byte is base64, as in the protocol.
type request struct {
	KeyID                        string            `json:"KeyId"`
	Plaintext                    []byte            `json:"Plaintext"`
	CiphertextBlob               []byte            `json:"CiphertextBlob"`
	EncryptionContext            map[string]string `json:"EncryptionContext"`
	EncryptionAlgorithm          string            `json:"EncryptionAlgorithm"`
	SourceKeyID                  string            `json:"SourceKeyId"`
	SourceEncryptionContext      map[string]string `json:"SourceEncryptionContext"`
	DestinationKeyID             string            `json:"DestinationKeyId"`
	DestinationEncryptionContext map[string]string `json:"DestinationEncryptionContext"`
	DryRun                       bool              `json:"DryRun"`
	KeySpec                      string            `json:"KeySpec"`
	KeyUsage                     string            `json:"KeyUsage"`
	Description                  string            `json:"Description"`
	MultiRegion                  bool              `json:"MultiRegion"`
	ReplicaRegion                string            `json:"ReplicaRegion"`
	NumberOfBytes                *int              `json:"NumberOfBytes"`
	AliasName                    string            `json:"AliasName"`
	TargetKeyID                  string            `json:"TargetKeyId"`
	PendingWindowInDays          *int              `json:"PendingWindowInDays"`
	IncludeKeyMaterial           string            `json:"IncludeKeyMaterial"`
	Limit                        int               `json:"Limit"`
	Marker                       string            `json:"Marker"`
}

// keys returns the keys that the request names, in any of its members.
func (r *request) keys() []string {
	var names []string
	for _, n := range []string{r.KeyID, r.SourceKeyID, r.DestinationKeyID, r.TargetKeyID, keyOf(r.CiphertextBlob)} {
		if n != "" {
			names = append(names, n)
		}
	}
	return names
}

// bound returns the encryption context that the request binds or asks for.
func (r *request) bound() map[string]string {
	if r.DestinationKeyID != "" {
		return r.DestinationEncryptionContext
	}
	return r.EncryptionContext
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
	maxRotations  = 25
)

const algorithm = "SYMMETRIC_DEFAULT"

// handlers returns the operations. The mutex is held while one runs; a nil object is
// an empty answer.
func handlers() map[string]func(*Server, *request) (object, error) {
	return map[string]func(*Server, *request) (object, error){
		"Encrypt":                         (*Server).encrypt,
		"Decrypt":                         (*Server).decrypt,
		"ReEncrypt":                       (*Server).reEncrypt,
		"GenerateDataKey":                 (*Server).generateDataKey,
		"GenerateDataKeyWithoutPlaintext": (*Server).generateDataKeyWithoutPlaintext,
		"CreateKey":                       (*Server).createKey,
		"DescribeKey":                     (*Server).describeKey,
		"EnableKey":                       (*Server).enableKey,
		"DisableKey":                      (*Server).disableKey,
		"ScheduleKeyDeletion":             (*Server).scheduleKeyDeletion,
		"CancelKeyDeletion":               (*Server).cancelKeyDeletion,
		"RotateKeyOnDemand":               (*Server).rotateKeyOnDemand,
		"ListKeyRotations":                (*Server).listKeyRotations,
		"ReplicateKey":                    (*Server).replicateKey,
		"CreateAlias":                     (*Server).createAlias,
		"UpdateAlias":                     (*Server).updateAlias,
		"DeleteAlias":                     (*Server).deleteAlias,
		"ListAliases":                     (*Server).listAliases,
	}
}

// serve does one operation.
func (s *Server) serve(op string, req *request) (object, error) {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	handle, ok := handlers()[op]
	if !ok {
		return nil, refuse(http.StatusBadRequest, "UnknownOperationException", "kmstest does not know %s", op)
	}
	if req.EncryptionAlgorithm != "" && req.EncryptionAlgorithm != algorithm {
		return nil, refuse(http.StatusBadRequest, "InvalidKeyUsageException", "the key does not work with %s", req.EncryptionAlgorithm)
	}
	return handle(s, req)
}

// dryRun is the answer to a request that would have worked and must do nothing.
func dryRun() error {
	return refuse(http.StatusBadRequest, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
}

func (s *Server) encrypt(req *request) (object, error) {
	if n := len(req.Plaintext); n < 1 || n > maxPlaintext {
		return nil, refuse(http.StatusBadRequest, "ValidationException", "1 validation error detected: 'plaintext' has %d bytes", n)
	}
	k, err := s.usable(req.KeyID)
	if err != nil {
		return nil, err
	}
	if req.DryRun {
		return nil, dryRun()
	}
	return object{"CiphertextBlob": k.seal(req.Plaintext, req.EncryptionContext), "KeyId": k.arn(), "EncryptionAlgorithm": algorithm}, nil
}

func (s *Server) decrypt(req *request) (object, error) {
	o, err := s.open(req.CiphertextBlob, req.KeyID, req.EncryptionContext)
	if err != nil {
		return nil, err
	}
	if req.DryRun {
		return nil, dryRun()
	}
	return object{"Plaintext": o.plaintext, "KeyId": o.key.arn(), "EncryptionAlgorithm": algorithm, "KeyMaterialId": o.material.name()}, nil
}

// reEncrypt opens a blob and seals it again, possibly under another key or context.
// The plaintext stays inside.
func (s *Server) reEncrypt(req *request) (object, error) {
	to, err := s.usable(req.DestinationKeyID)
	if err != nil {
		return nil, err
	}
	o, err := s.open(req.CiphertextBlob, req.SourceKeyID, req.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	if req.DryRun {
		return nil, dryRun()
	}
	return object{
		"CiphertextBlob": to.seal(o.plaintext, req.DestinationEncryptionContext),
		"KeyId":          to.arn(), "SourceKeyId": o.key.arn(),
		"SourceEncryptionAlgorithm": algorithm, "DestinationEncryptionAlgorithm": algorithm,
		"SourceKeyMaterialId": o.material.name(), "DestinationKeyMaterialId": to.line.current().name(),
	}, nil
}

func (s *Server) generateDataKey(req *request) (object, error) {
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
	if req.DryRun {
		return nil, dryRun()
	}
	plaintext := make([]byte, size)
	rand.Read(plaintext)
	return object{
		"CiphertextBlob": k.seal(plaintext, req.EncryptionContext), "KeyId": k.arn(),
		"Plaintext": plaintext, "KeyMaterialId": k.line.current().name(),
	}, nil
}

func (s *Server) generateDataKeyWithoutPlaintext(req *request) (object, error) {
	out, err := s.generateDataKey(req)
	delete(out, "Plaintext")
	return out, err
}
