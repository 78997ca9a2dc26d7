package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"sceau/cmd/sceau/internal/demo"
	"sceau/internal/devenv"
)

// environmentFlags say where the private environment lives.
type environmentFlags struct {
	Dir string `help:"Folder of the private environment." default:".sceau" env:"SCEAU_DIR" placeholder:"DIR"`
}

func (f environmentFlags) options(w *world) (demo.Options, error) {
	dir, err := filepath.Abs(f.Dir)
	if err != nil {
		return demo.Options{}, fmt.Errorf("%w: folder %s: %w", errUsage, f.Dir, err)
	}
	root, err := devenv.FindRoot(".")
	if err != nil {
		return demo.Options{}, fmt.Errorf("%w: %w: run it in a checkout of Sceau", errUsage, err)
	}
	// The screen tells what happens; of the log only what goes wrong.
	logger, err := newLogger("text", "warn", w.logs)
	if err != nil {
		return demo.Options{}, err
	}
	out, isFile := w.out.(*os.File)
	return demo.Options{
		Dir: dir, Root: root, Out: w.out, Terminal: isFile && term.IsTerminal(int(out.Fd())), Wall: w.now, Logger: logger, Version: version,
	}, nil
}

// demoCmd plays the main job.
type demoCmd struct{ environmentFlags }

// Run plays it and closes everything.
func (c demoCmd) Run(w *world) error {
	o, err := c.options(w)
	if err != nil {
		return err
	}
	return demo.Run(w.ctx, o)
}

// devCmd plays the main job and leaves the doors open.
type devCmd struct{ environmentFlags }

// Run plays it, then waits for Ctrl-C.
func (c devCmd) Run(w *world) error {
	o, err := c.options(w)
	if err != nil {
		return err
	}
	return demo.Dev(w.ctx, o)
}
