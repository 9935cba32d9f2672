package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/privet-dev/privet/classify/discover"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask/refresh"
	"github.com/privet-dev/privet/mask/refresh/receipt"
	"github.com/privet-dev/privet/policy"
)

func (a *app) maskCommand() *cobra.Command {
	return family("mask", "Refresh staging from production with personal data masked",
		a.maskInitCommand(), a.maskPlanCommand(), a.maskRunCommand(), a.maskResumeCommand(),
		a.maskVerifyCommand(), a.maskSchemaCommand(), a.targetCommand())
}

// refreshFlags are what the verbs of a refresh share.
type refreshFlags struct {
	source, target, maintenance, policy string
	jobs                                int
}

func (f *refreshFlags) addSource(c *cobra.Command) {
	c.Flags().StringVar(&f.source, "source", "", "database to copy: URI, libpq keywords or service=NAME (default libpq's environment variables)")
}

func (f *refreshFlags) addPolicy(c *cobra.Command) {
	c.Flags().StringVar(&f.policy, "policy", "privet.yaml", "the data map")
}

func (f *refreshFlags) addTarget(c *cobra.Command) {
	c.Flags().StringVar(&f.target, "target", "", "database to replace: URI, libpq keywords or service=NAME")
	c.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if f.target == "" { // never what the environment happens to name
			return fault.New(fault.Config, "%s needs --target", cmd.CommandPath()).WithHint("%s --help", cmd.CommandPath())
		}
		return nil
	}
}

func (f *refreshFlags) addMaintenance(c *cobra.Command) {
	c.Flags().StringVar(&f.maintenance, "maintenance-db", "", "database of the target's server to create and rename databases from (default postgres, else template1)")
}

func (f *refreshFlags) addJobs(c *cobra.Command) {
	c.Flags().IntVar(&f.jobs, "jobs", 2, "tables to work on at once")
	before := c.PreRunE
	c.PreRunE = func(cmd *cobra.Command, args []string) error {
		if f.jobs < 1 {
			return fault.New(fault.Config, "%s: --jobs is %d, and must be at least 1", cmd.CommandPath(), f.jobs)
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}

func (a *app) maskInitCommand() *cobra.Command {
	var f refreshFlags
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a privet.yaml that decides what is sure, and marks the rest undecided",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := discover.ProposeFrom(cmd.Context(), f.source)
			if err != nil {
				return err
			}
			if f.policy == "-" {
				_, err := a.out.Write(text)
				return err
			}
			if err := createFile(f.policy, text); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"policy": f.policy})
			}
			a.note("wrote %s; decide what it marks undecided, then: privet mask plan --policy %s", f.policy, f.policy)
			return nil
		},
	}
	f.addSource(c)
	c.Flags().StringVar(&f.policy, "policy", "privet.yaml", "file to write; - for standard output")
	return c
}

// createFile writes a new file and never replaces one.
func createFile(path string, text []byte) error {
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if os.IsExist(err) {
		return fault.New(fault.Config, "%s exists and is not overwritten", path).WithHint("name another file by --policy, or - for standard output")
	}
	if err != nil {
		return fault.New(fault.Config, "%v", err)
	}
	if _, err = w.Write(text); err == nil {
		err = w.Sync()
	}
	if err1 := w.Close(); err == nil {
		err = err1
	}
	return err
}

func (a *app) maskPlanCommand() *cobra.Command {
	var f refreshFlags
	c := &cobra.Command{
		Use:   "plan",
		Short: "Say what happens to every column, and what stands in the way",
		Long: `Say what happens to every column, and what stands in the way. It needs neither
a target nor rows: run it in CI on a migrated database. Exit code 3 says that a
column is undecided or a rule cannot work.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := policy.Load(f.policy)
			if err != nil {
				return err
			}
			plan, err := refresh.MakePlan(cmd.Context(), refresh.PlanConfig{Source: f.source, Policy: p, Jobs: f.jobs})
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(plan)
			} else {
				err = plan.WriteText(a.out)
			}
			if err != nil {
				return err
			}
			return plan.Err()
		},
	}
	f.addSource(c)
	f.addPolicy(c)
	f.addJobs(c)
	return c
}

func (a *app) maskRunCommand() *cobra.Command {
	var f refreshFlags
	var keepOld bool
	var yieldAfter time.Duration
	var receiptFile string
	c := &cobra.Command{
		Use:   "run",
		Short: "Load a masked copy beside the target, verify it, and let them change places",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if yieldAfter <= 0 {
				return fault.New(fault.Config, "%s: --yield-after is %s, and must be more than nothing", cmd.CommandPath(), yieldAfter).
					WithHint("as in --yield-after %s", refresh.DefaultYieldAfter)
			}
			if err := writableReceipt(receiptFile); err != nil {
				return err
			}
			p, err := policy.Load(f.policy)
			if err != nil {
				return err
			}
			d, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(d, &err)
			sign, err := d.ReceiptKey(cmd.Context())
			if err != nil {
				return err
			}
			show := newProgress(a.err)
			result, err := refresh.Run(cmd.Context(), refresh.Config{
				Source: f.source, Target: f.target, Maintenance: f.maintenance, Policy: p, Keys: d.Crypto, Targets: d.Targets, Jobs: f.jobs,
				YieldAfter: yieldAfter, KeepOld: keepOld, Progress: show,
				Sign: sign, Version: buildVersion().Version, KeyID: d.Config.Keys.KEK,
			})
			show.End(err)
			if result == nil {
				return err
			}
			if receiptFile == "" {
				receiptFile = "privet-receipt-" + result.Run + ".json"
			}
			if werr := receipt.WriteFile(receiptFile, result.Document); werr != nil {
				a.note("the receipt could not be written: %v", werr)
				if err == nil {
					err = werr
				}
			}
			if perr := a.printResult(result, receiptFile); err == nil {
				err = perr
			}
			return err
		},
	}
	f.addSource(c)
	f.addTarget(c)
	f.addMaintenance(c)
	f.addPolicy(c)
	f.addJobs(c)
	c.Flags().BoolVar(&keepOld, "keep-old", false, "keep the replaced database as TARGET_old_ID")
	c.Flags().DurationVar(&yieldAfter, "yield-after", refresh.DefaultYieldAfter, "end the run when a session of the source waits that long for its locks")
	c.Flags().StringVar(&receiptFile, "receipt", "", "where the signed receipt goes (default privet-receipt-RUN.json)")
	return c
}

// writableReceipt finds out before a run, not after its hours, whether its receipt
// can be written. "" is a file of the current folder that has no name yet.
func writableReceipt(path string) error {
	if path != "" {
		if _, err := os.Lstat(path); err == nil {
			return fault.New(fault.Guard, "%s exists and is not overwritten", path).WithHint("give another path for the receipt")
		}
	}
	probe, err := os.CreateTemp(filepath.Dir(path), ".privet-receipt-*")
	if err != nil {
		return fault.New(fault.Config, "the receipt could not be written: %v", err).WithHint("name a file in a folder that you may write to by --receipt")
	}
	_ = probe.Close() // nothing was written to it
	return os.Remove(probe.Name())
}

// runInfo is what `privet mask run --json` and `resume --json` print.
type runInfo struct {
	*refresh.Result
	Receipt string `json:"receipt,omitempty"`
}

func (a *app) printResult(r *refresh.Result, receiptFile string) error {
	if a.json {
		return a.printJSON(runInfo{r, receiptFile})
	}
	if r.Verify != nil {
		if err := r.Verify.WriteText(a.err, false); err != nil {
			return err
		}
	}
	if r.Swapped {
		fmt.Fprintf(a.out, "%s is refreshed: run %s, %d rows of %d tables in %s\n", r.Target, r.Run, r.Rows, len(r.Tables), r.Finished.Sub(r.Started).Round(100*time.Millisecond))
	}
	if r.Old != "" {
		fmt.Fprintf(a.out, "old      %s\n", r.Old)
	}
	if receiptFile != "" {
		fmt.Fprintf(a.out, "receipt  %s\n", receiptFile)
	}
	return nil
}

func (a *app) maskResumeCommand() *cobra.Command {
	var f refreshFlags
	var keepOld bool
	c := &cobra.Command{
		Use:   "resume",
		Short: "Put a verified copy in place whose swap had to wait",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			d, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(d, &err)
			show := newProgress(a.err)
			result, err := refresh.Resume(cmd.Context(), refresh.Config{
				Target: f.target, Maintenance: f.maintenance, Targets: d.Targets, KeepOld: keepOld, Progress: show,
			})
			show.End(err)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(runInfo{Result: result})
			}
			fmt.Fprintf(a.out, "%s is refreshed by run %s\n", result.Target, result.Run)
			if result.Old != "" {
				fmt.Fprintf(a.out, "old      %s\n", result.Old)
			}
			return nil
		},
	}
	f.addTarget(c)
	f.addMaintenance(c)
	c.Flags().BoolVar(&keepOld, "keep-old", false, "keep the replaced database as TARGET_old_ID")
	return c
}

func (a *app) maskVerifyCommand() *cobra.Command {
	var f refreshFlags
	c := &cobra.Command{
		Use:   "verify",
		Short: "Read source and target and search the target for originals",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := policy.Load(f.policy)
			if err != nil {
				return err
			}
			show := newProgress(a.err)
			report, err := refresh.Verify(cmd.Context(), refresh.VerifyConfig{Source: f.source, Target: f.target, Policy: p, Jobs: f.jobs, Progress: show})
			show.End(err)
			if report == nil {
				return err
			}
			if a.json {
				if perr := report.WriteJSON(a.out); perr != nil {
					return perr
				}
			} else if perr := report.WriteText(a.out, true); perr != nil {
				return perr
			}
			return err
		},
	}
	f.addSource(c)
	f.addTarget(c)
	f.addPolicy(c)
	f.addJobs(c)
	return c
}

func (a *app) maskSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of privet.yaml, for editors",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(a.out, "%s\n", policy.SchemaJSON())
			return err
		},
	}
}

// closing closes c at the end of a command; its error counts where there is no
// other.
func closing(c io.Closer, err *error) {
	if cerr := c.Close(); *err == nil {
		*err = cerr
	}
}
