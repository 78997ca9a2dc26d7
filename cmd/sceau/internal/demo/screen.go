package demo

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
)

// finding is one line of the closing table: what was checked, and what was
// wrong, nil when it held.
type finding struct {
	what string
	err  error
}

// screen shows how far the demonstration is and collects what was checked.
type screen struct {
	out      io.Writer
	wall     func() time.Time
	terminal bool
	started  time.Time
	findings []finding
}

// step says what happens now.
func (s *screen) step(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, "%6.1f s  %s\n", s.wall().Sub(s.started).Seconds(), fmt.Sprintf(format, args...))
}

// note tells something about the step.
func (s *screen) note(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, "          %s\n", fmt.Sprintf(format, args...))
}

// bar shows a long step; without a terminal it stays silent until the end.
func (s *screen) bar(total int, what string) *progressbar.ProgressBar {
	out := s.out
	if !s.terminal {
		out = io.Discard
	}
	return progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("          "+what),
		progressbar.OptionSetWidth(30), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(false))
}

// check records what was checked. It goes on after a finding: the table at the
// end shows them all.
func (s *screen) check(what string, err error) {
	s.findings = append(s.findings, finding{what, err})
	if err != nil {
		s.step("NOT AS IT SHOULD BE: %s: %v", what, err)
	}
}

// table shows the findings, and is an error when one is wrong.
func (s *screen) table() error {
	out := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	wrong := 0
	for _, f := range s.findings {
		state := "held"
		if f.err != nil {
			state = "FAILED"
			wrong++
		}
		if _, err := fmt.Fprintf(out, "%s\t%s\n", state, f.what); err != nil {
			return fmt.Errorf("show the table: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("show the table: %w", err)
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d checks failed", wrong, len(s.findings))
	}
	return nil
}

// equal is an error unless got is want.
func equal[T comparable](got, want T) error {
	if got != want {
		return fmt.Errorf("it is %v, it should be %v", got, want)
	}
	return nil
}

// refused is an error unless err is of the kind.
func refused(err, kind error) error {
	switch {
	case err == nil:
		return errors.New("it was accepted")
	case !errors.Is(err, kind):
		return fmt.Errorf("it was refused for another reason: %w", err)
	}
	return nil
}
