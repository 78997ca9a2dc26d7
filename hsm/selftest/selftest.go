// Package selftest computes published test vectors again and says which rows
// come out otherwise. Crypto officers run it before a ceremony, by themselves
// (sceau-hsm selftest) or inside the card engine.
//
// A folder of JSON files comes in as [fs.FS], a report goes out. It never looks
// an answer up, never skips what it does not know (an unknown file, row or field
// is a failure), touches no file system, clock or randomness of its own, and
// names in its report nothing of a row but its file and identifier.
package selftest

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

//go:embed vectors/*.json
var embedded embed.FS

// Embedded is the vectors that the program carries along.
func Embedded() (fs.FS, error) { return fs.Sub(embedded, "vectors") }

// Failure is one row that did not come out, or a file that could not be read.
type Failure struct {
	File string
	Row  string // the row's identifier, empty for a whole file
	Why  string // which fields differ; never a value
}

func (f Failure) String() string {
	if f.Row == "" {
		return fmt.Sprintf("%s: %s", f.File, f.Why)
	}
	return fmt.Sprintf("%s %s: %s", f.File, f.Row, f.Why)
}

// Report is the outcome of a run.
type Report struct {
	Passed   int
	Failures []Failure
}

// String is the last line of a run.
func (r Report) String() string {
	return fmt.Sprintf("%d passed, %d failed", r.Passed, len(r.Failures))
}

// maxFile bounds the bytes of one file.
const maxFile = 16 << 20

// Run computes every row of every file of the folder. An error means that the
// folder itself cannot be read; everything else is in the report. A folder
// without a row fails: nothing tested is nothing proved.
func Run(folder fs.FS) (Report, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return Report{}, fmt.Errorf("read the folder of vectors: %w", err)
	}
	var r Report
	for _, e := range entries {
		r.runFile(folder, e)
	}
	if r.Passed+len(r.Failures) == 0 {
		r.Failures = append(r.Failures, Failure{File: ".", Why: "no vectors"})
	}
	return r, nil
}

func (r *Report) runFile(folder fs.FS, e fs.DirEntry) {
	fail := func(row, why string) { r.Failures = append(r.Failures, Failure{File: e.Name(), Row: row, Why: why}) }
	if e.IsDir() || path.Ext(e.Name()) != ".json" {
		fail("", "not a file of vectors (.json)")
		return
	}
	if info, err := e.Info(); err != nil || info.Size() > maxFile {
		fail("", fmt.Sprintf("cannot be read, or has more than %d bytes", maxFile))
		return
	}
	text, err := fs.ReadFile(folder, e.Name())
	if err != nil {
		fail("", "cannot be read")
		return
	}
	f, err := parseFile(text)
	if err != nil {
		fail("", err.Error())
		return
	}
	for i, row := range f.Vectors {
		id, err := runRow(f, row)
		if id == "" {
			id = fmt.Sprintf("row %d", i+1)
		}
		if err != nil {
			fail(id, err.Error())
			continue
		}
		r.Passed++
	}
}

// file is one file of vectors.
type file struct {
	Title    string            `json:"title"`
	Source   string            `json:"source"`
	Encoding string            `json:"encoding"`
	Card     *traceCard        `json:"card"` // the card of a reader's traces
	Vectors  []json.RawMessage `json:"vectors"`
}

func parseFile(text []byte) (file, error) {
	var f file
	if err := strict(text, &f); err != nil {
		return file{}, err
	}
	if len(f.Vectors) == 0 {
		return file{}, errors.New("no vectors")
	}
	return f, nil
}
