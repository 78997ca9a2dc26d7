package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const good = `{"id":"kcv","alg":"TDES-ECB 8x00","key":"0123456789ABCDEFFEDCBA9876543210","kcv6":"08D7B4"}`

func TestSelftestCountsAndExitsByTheOutcome(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, vectors string // no vectors: no folder
		args          []string
		code          int
		first, last   string
	}{
		{"what the program carries along", "", nil, 0, "201 passed, 0 failed", "201 passed, 0 failed"},
		{"a folder that comes out", good, nil, 0, "1 passed, 0 failed", "1 passed, 0 failed"},
		{"a folder with a wrong value", good + "," + strings.Replace(good, "08D7B4", "18D7B4", 1), nil, 1, "kcv.json kcv: kcv6", "1 passed, 1 failed"},
		{"a folder that is not there", "", []string{"nowhere"}, 2, "", ""},
		{"two folders", "", []string{"a", "b"}, 2, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := test.args
			if test.vectors != "" {
				dir := t.TempDir()
				text := `{"title":"ours","source":"","vectors":[` + test.vectors + `]}`
				if err := os.WriteFile(filepath.Join(dir, "kcv.json"), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				args = []string{dir}
			}
			var out, errs bytes.Buffer
			if code := check(args, &out, &errs); code != test.code {
				t.Errorf("exit code %d, want %d: %s", code, test.code, errs.String())
			}
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if lines[0] != test.first || lines[len(lines)-1] != test.last {
				t.Errorf("it said %q", lines)
			}
			if (errs.Len() > 0) != (test.code == 2) {
				t.Errorf("error output %q", errs.String())
			}
		})
	}
}
