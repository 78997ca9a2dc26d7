package main

import (
	"strings"
	"testing"
)

const output = `goos: linux
pkg: sceau/web/revocation
BenchmarkOCSP/post-2   	       5	     34000 ns/op	  1.21 cpu_x_fixed_http	  29411 ops/s	 31 us_cpu/op	 1.18 x_fixed_http	 1.4 x_fixed_http_hi	 1.1 x_fixed_http_lo	 3.9 gain_openssl_multi2	 5 gain_openssl_multi2_hi	 3 gain_openssl_multi2_lo	 4.2 cpu_gain_openssl_multi2	 78 alloc_B/op
BenchmarkOther-16      	       5	   2000000 ns/op	 12345678 list_B
PASS
ok  	sceau/web/revocation	8.9s
`

func TestTheTableHasFigureRatioAndGoal(t *testing.T) {
	t.Parallel()
	var table, progress strings.Builder
	if err := run(strings.NewReader(output), &table, &progress); err != nil {
		t.Fatal(err)
	}
	words := map[string]string{}
	for line := range strings.Lines(table.String()) {
		fields := strings.Fields(line)
		if len(fields) > 1 {
			words[strings.Join(fields[:min(2, len(fields))], " ")] = strings.Join(fields, " ")
		}
	}
	for start, want := range map[string]string{
		"OCSP/post 34":         "OCSP/post 34 us 29 411/s 31 us",
		"limit fixed_http":     "limit fixed_http 1.18 x (1.1 to 1.4) 1.21 x CPU <= 1.3 met",
		"peer openssl_multi2":  "peer openssl_multi2 3.9 x less (3 to 5) 4.2 x less time >= 4 MISSED",
		"Other 2":              "Other 2 ms",
		"list_B 12":            "list_B 12 345 678",
		"alloc_B/op 78":        "", // it makes nothing whose size matters
		"BENCHMARK, and":       "BENCHMARK, and beside what TIME (lo to hi) CPU GOAL",
		"TIME and":             "TIME and CPU are medians of the rounds, each of which visits every side; lo and hi are the rounds' extremes.",
		"x: how":               "x: how many times the limit's cost ours is; x less: how many times less than the peer ours costs.",
		"this line is missing": "",
	} {
		if words[start] != want {
			t.Errorf("the table says %q, want %q in\n%s", words[start], want, table.String())
		}
	}
	for _, line := range []string{"measured OCSP/post\n", "ok  \tsceau/web/revocation\t8.9s\n"} {
		if !strings.Contains(progress.String(), line) {
			t.Errorf("the progress lacks %q:\n%s", line, progress.String())
		}
	}
}

func TestWithoutAResultThereIsNoTable(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"a build that failed": "FAIL\tsceau/ca [build failed]\nFAIL\n",
		"a metric of letters": "BenchmarkX-2 5 many ns/op\n",
	} {
		var table, progress strings.Builder
		if err := run(strings.NewReader(in), &table, &progress); err == nil || table.Len() > 0 {
			t.Errorf("%s: error %v, table %q", name, err, table.String())
		}
	}
}
