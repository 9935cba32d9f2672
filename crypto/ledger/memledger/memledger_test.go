package memledger_test

import (
	"testing"

	"github.com/privet-dev/privet/crypto/ledger"
	"github.com/privet-dev/privet/crypto/ledger/ledgertest"
	"github.com/privet-dev/privet/crypto/ledger/memledger"
)

func TestConformance(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledger.Store { return memledger.New() })
}
