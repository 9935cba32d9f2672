package shop_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/examples/shop"
	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/mask/refresh"
	"github.com/privet-dev/privet/policy"
)

func TestThePolicyDecidesEveryColumn(t *testing.T) {
	p, err := policy.Parse("privet.yaml", shop.Policy)
	require.NoError(t, err)
	conn := open(t, shop.Size{Customers: 1, Orders: 1})
	cat, err := catalog.Read(t.Context(), conn)
	require.NoError(t, err)
	r, err := p.Resolve(cat)
	require.NoError(t, err)
	require.Empty(t, r.Undecided())
	require.Empty(t, r.Unused)
	require.NoError(t, r.Check())

	actions := map[string]policy.Action{}
	for _, table := range r.Tables {
		for _, c := range table.Columns {
			actions[table.Table.String()+"."+c.Column.Name] = c.Action
		}
	}
	for column, want := range map[string]policy.Action{
		"public.customer.email":           policy.Mask,
		"public.orders.contact_email":     policy.Mask,
		"public.customer.full_name":       policy.Generated,
		"public.customer.status":          policy.Keep,
		"staff.employee.email":            policy.Mask,
		"public.payment_2024.card_number": policy.Mask,
	} {
		require.Equal(t, want, actions[column], column)
	}
}

func TestThePlanHasNothingInItsWay(t *testing.T) {
	p, err := policy.Parse("privet.yaml", shop.Policy)
	require.NoError(t, err)
	uri := pgtest.Database(t)
	require.NoError(t, shop.Create(t.Context(), pgtest.Connect(t, uri), small))
	plan, err := refresh.MakePlan(t.Context(), refresh.PlanConfig{Source: uri, Policy: p})
	require.NoError(t, err)
	require.NoError(t, plan.Err())
}
