package memstore_test

import (
	"testing"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/keystoretest"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
)

func TestConformance(t *testing.T) {
	keystoretest.Run(t, func(*testing.T) keystore.Store { return memstore.New() })
}

func TestShared(t *testing.T) {
	s := memstore.New()
	keystoretest.RunShared(t, func(*testing.T) keystore.Store { return s })
}

func TestWatch(t *testing.T) {
	s := memstore.New()
	keystoretest.RunWatch(t, func(*testing.T) keystore.Store { return s })
}
