package kmstest

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var aliasName = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]+$`)

func (s *Server) createAlias(req *request) (object, error) {
	if !aliasName.MatchString(req.AliasName) || strings.HasPrefix(req.AliasName, "alias/aws/") {
		return nil, refuse(http.StatusBadRequest, "InvalidAliasNameException", "an alias begins with alias/, and not with alias/aws/")
	}
	if _, ok := s.aliases[req.AliasName]; ok {
		return nil, refuse(http.StatusBadRequest, "AlreadyExistsException", "An alias with the name %s already exists", s.aliasARN(req.AliasName))
	}
	return nil, s.point(req)
}

func (s *Server) updateAlias(req *request) (object, error) {
	if err := s.alias(req.AliasName); err != nil {
		return nil, err
	}
	return nil, s.point(req)
}

func (s *Server) deleteAlias(req *request) (object, error) {
	if err := s.alias(req.AliasName); err != nil {
		return nil, err
	}
	delete(s.aliases, req.AliasName)
	return nil, nil
}

// alias returns what the service answers where there is no such alias.
func (s *Server) alias(name string) error {
	if _, ok := s.aliases[name]; !ok {
		return refuse(http.StatusBadRequest, "NotFoundException", "Alias %s is not found.", s.aliasARN(name))
	}
	return nil
}

func (s *Server) point(req *request) error {
	k, err := s.named(req.TargetKeyID)
	if err != nil {
		return err
	}
	if k.dying() {
		return k.check()
	}
	s.aliases[req.AliasName] = k.id
	return nil
}

func (s *Server) listAliases(req *request) (object, error) {
	var only *key
	if req.KeyID != "" {
		var err error
		if only, err = s.named(req.KeyID); err != nil {
			return nil, err
		}
	}
	list := []object{}
	for _, name := range slices.Sorted(maps.Keys(s.aliases)) {
		if id := s.aliases[name]; only == nil || id == only.id {
			list = append(list, object{"AliasName": name, "AliasArn": s.aliasARN(name), "TargetKeyId": id})
		}
	}
	return page(req, "Aliases", list)
}

// page cuts a list as Limit and Marker say, 50 entries where no limit is given. A
// marker is the place of the entry that comes next.
func page(req *request, member string, list []object) (object, error) {
	limit, from := 50, 0
	if req.Limit > 0 {
		limit = req.Limit
	}
	if req.Marker != "" {
		var err error
		if from, err = strconv.Atoi(req.Marker); err != nil || from < 0 || from > len(list) {
			return nil, refuse(http.StatusBadRequest, "InvalidMarkerException", "the marker is not of this list")
		}
	}
	out := object{"Truncated": false}
	if len(list)-from > limit {
		list = list[:from+limit]
		out["Truncated"], out["NextMarker"] = true, strconv.Itoa(from+limit)
	}
	out[member] = list[from:]
	return out, nil
}
