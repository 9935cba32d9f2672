package refresh_test

import (
	"context"
	"fmt"
	"os"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask"
	"github.com/privet-dev/privet/mask/refresh"
	"github.com/privet-dev/privet/mask/refresh/guard"
	"github.com/privet-dev/privet/policy"
)

// A team checks in CI, on a migrated database without rows, that every column is
// decided.
func ExampleMakePlan() {
	data, err := policy.Load("privet.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := refresh.MakePlan(context.Background(), refresh.PlanConfig{Source: "service=shop_ci", Policy: data})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := plan.Err(); err != nil {
		os.Exit(int(fault.KindOf(err)))
	}
}

// A nightly job refreshes staging. The mark was printed by `privet mask target
// mark`, once.
func ExampleRun() {
	var keys mask.Keys // a *crypto.Client
	data, err := policy.Load("privet.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := refresh.Run(context.Background(), refresh.Config{
		Source: "service=shop_prod",
		Target: "service=shop_staging",
		Policy: data,
		Keys:   keys,
		Targets: map[string]guard.Target{
			"staging": {Name: "shop_staging", Mark: "2026-11-21T21:01:37Z 7f3a0c5e9b1d42688f07d6a3c4e5b291"},
		},
	})
	if err != nil {
		fmt.Println(err, fault.HintOf(err))
		return
	}
	fmt.Println(result.Rows, "rows;", len(result.Verify.Checks), "checks")
}
