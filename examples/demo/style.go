package main

import (
	"os"

	"golang.org/x/term"
)

// styled is whether the output is a terminal that wants styles (no-color.org).
var styled = term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"

func bold(s string) string  { return style("1", s) }
func faint(s string) string { return style("2", s) }

func style(code, s string) string {
	if !styled {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
