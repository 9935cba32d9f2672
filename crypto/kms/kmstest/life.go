package kmstest

import "net/http"

func (s *Server) createKey(req *request) (object, error) {
	if req.KeySpec != "" && req.KeySpec != algorithm || req.KeyUsage != "" && req.KeyUsage != "ENCRYPT_DECRYPT" {
		return nil, refuse(http.StatusBadRequest, "UnsupportedOperationException", "kmstest makes symmetric encryption keys only")
	}
	k := s.newKey(req.MultiRegion)
	k.description = req.Description
	return object{"KeyMetadata": k.metadata()}, nil
}

func (s *Server) describeKey(req *request) (object, error) {
	k, err := s.known(req.KeyID)
	if err != nil {
		return nil, err
	}
	return object{"KeyMetadata": k.metadata()}, nil
}

func (s *Server) enableKey(req *request) (object, error) { return nil, s.turn(req.KeyID, stateEnabled) }

func (s *Server) disableKey(req *request) (object, error) {
	return nil, s.turn(req.KeyID, stateDisabled)
}

func (s *Server) turn(name, state string) error {
	k, err := s.named(name)
	if err != nil {
		return err
	}
	if k.dying() {
		return k.check()
	}
	k.state = state
	return nil
}

// scheduleKeyDeletion starts the waiting period. A primary key with replicas first
// waits for them to be gone.
func (s *Server) scheduleKeyDeletion(req *request) (object, error) {
	k, err := s.named(req.KeyID)
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
	if k.dying() {
		return nil, k.check()
	}
	k.window = days
	out := object{"KeyId": k.arn(), "PendingWindowInDays": days}
	if k.isPrimary() && len(k.line.members) > 1 {
		k.state = statePendingReplicaDeletion
	} else {
		k.expire()
		out["DeletionDate"] = seconds(k.deletion)
	}
	out["KeyState"] = k.state
	return out, nil
}

func (s *Server) cancelKeyDeletion(req *request) (object, error) {
	k, err := s.named(req.KeyID)
	if err != nil {
		return nil, err
	}
	if !k.dying() {
		return nil, refuse(http.StatusBadRequest, "KMSInvalidStateException", "%s is not pending deletion.", k.arn())
	}
	k.state = stateDisabled
	return object{"KeyId": k.arn()}, nil
}

// rotateKeyOnDemand gives the key new material, which the real service takes some
// minutes for. Replicas follow their primary key.
func (s *Server) rotateKeyOnDemand(req *request) (object, error) {
	k, err := s.named(req.KeyID)
	if err != nil {
		return nil, err
	}
	if err := k.check(); err != nil {
		return nil, err
	}
	if !k.isPrimary() {
		return nil, refuse(http.StatusBadRequest, "UnsupportedOperationException", "%s is a replica key; rotate its primary key.", k.arn())
	}
	if k.rotations == maxRotations {
		return nil, refuse(http.StatusBadRequest, "LimitExceededException", "%s was rotated on demand %d times.", k.arn(), maxRotations)
	}
	k.rotations++
	k.line.materials = append(k.line.materials, newMaterial())
	return object{"KeyId": k.id}, nil
}

// listKeyRotations lists completed rotations, and the first material too where all
// material is asked for.
func (s *Server) listKeyRotations(req *request) (object, error) {
	k, err := s.named(req.KeyID)
	if err != nil {
		return nil, err
	}
	list := []object{}
	for i, m := range k.line.materials {
		entry := object{"KeyId": k.id, "KeyMaterialId": m.name(), "KeyMaterialState": "NON_CURRENT"}
		if m == k.line.current() {
			entry["KeyMaterialState"] = "CURRENT"
		}
		if i > 0 {
			entry["RotationDate"], entry["RotationType"] = seconds(m.made), "ON_DEMAND"
		} else if req.IncludeKeyMaterial != "ALL_KEY_MATERIAL" {
			continue
		}
		list = append(list, entry)
	}
	return page(req, "Rotations", list)
}

func (s *Server) replicateKey(req *request) (object, error) {
	k, err := s.named(req.KeyID)
	if err != nil {
		return nil, err
	}
	if err := k.check(); err != nil {
		return nil, err
	}
	r, err := s.replicate(k, req.ReplicaRegion)
	if err != nil {
		return nil, err
	}
	r.description = req.Description
	return object{"ReplicaKeyMetadata": r.metadata(), "ReplicaPolicy": "{}", "ReplicaTags": []object{}}, nil
}
