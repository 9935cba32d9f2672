package shop_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/examples/shop"
	"github.com/privet-dev/privet/internal/pgtest"
)

// BenchmarkCreate measures rows a second, keys and all, at a tenth of the demo's
// size.
func BenchmarkCreate(b *testing.B) {
	size := shop.Size{Customers: shop.Full.Customers / 10, Orders: shop.Full.Orders / 10}
	total := 0
	for _, rows := range size.Tables() {
		total += rows.Count
	}
	for b.Loop() {
		b.StopTimer()
		conn := pgtest.Connect(b, pgtest.Database(b))
		b.StartTimer()
		require.NoError(b, shop.Create(b.Context(), conn, size))
	}
	b.ReportMetric(float64(total*b.N)/b.Elapsed().Seconds(), "rows/s")
}
