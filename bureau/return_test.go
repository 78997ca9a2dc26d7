package bureau_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"sceau/bureau"
	"sceau/lifecycle"
)

func sampleReturn() bureau.Return {
	return bureau.Return{Batch: batchID(), Sequence: 3, Cards: []bureau.ReturnLine{
		{Card: cardID(0), Result: lifecycle.BureauMade, Plastic: "PL-000123"},
		{Card: cardID(1), Result: lifecycle.BureauSpoiled, Plastic: "PL-000124", Reason: "puce défaillante"},
		{Card: cardID(2), Result: lifecycle.BureauMissing},
		{Card: cardID(3), Result: lifecycle.BureauMade, Plastic: "PL-000125"},
	}}
}

func TestAReturnFileComesBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	data, err := bureau.EncodeReturn(sampleReturn())
	if err != nil {
		t.Fatal(err)
	}
	want := "sceau-return/1;" + string(batchID()) + ";3\n" +
		string(cardID(0)) + ";made;PL-000123;\n" +
		string(cardID(1)) + ";spoiled;PL-000124;puce défaillante\n" +
		string(cardID(2)) + ";missing;;\n" +
		string(cardID(3)) + ";made;PL-000125;\n" +
		"END;4;2;1;1\n"
	if string(data) != want {
		t.Errorf("EncodeReturn =\n%s\nwant\n%s", data, want)
	}
	for name, in := range map[string]string{"LF": want, "CR LF": strings.ReplaceAll(want, "\n", "\r\n")} {
		got, err := bureau.ParseReturn(strings.NewReader(in))
		if err != nil || !reflect.DeepEqual(got, sampleReturn()) {
			t.Errorf("%s: ParseReturn = %+v, %v", name, got, err)
		}
	}
}

func TestAReturnFileIsRefusedWhole(t *testing.T) {
	t.Parallel()
	data, err := bureau.EncodeReturn(sampleReturn())
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	lines := strings.SplitAfter(good, "\n")
	change := func(old, by string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the sample has no %q", old)
		}
		return strings.Replace(good, old, by, 1)
	}
	tests := []struct{ name, data, want string }{
		{"nothing", "", "line 1, file: is truncated"},
		{"no trailer", strings.Join(lines[:5], ""), "line 5, line: is not the trailer"},
		{"the last digit lost", good[:len(good)-2], "truncated"},
		{"only the line end lost", good[:len(good)-1], "truncated"},
		{"a card lost", strings.Join(append(lines[:2:2], lines[3:]...), ""), "line 5, count: the trailer says 4, the file has 3"},
		{"counts that lie", change("END;4;2;1;1", "END;4;3;0;1"), "line 6, made: the trailer says 3, the file has 2"},
		{"a card twice", change(string(cardID(3)), string(cardID(0))), "line 5, card: " + string(cardID(0)) + " is already on line 2"},
		{"a plastic twice", change("PL-000125", "PL-000123"), "line 5, plastic serial"},
		{"an unknown answer", change(";missing;", ";lost;"), `line 4, result: is "lost"`},
		{"a made card without plastic", change("PL-000123", ""), "line 2, plastic serial: is empty"},
		{"a made card with a reason", change("PL-000123;", "PL-000123;late"), "line 2, reason"},
		{"a spoiled card without reason", change("puce défaillante", ""), "line 3, reason: is empty"},
		{"a missing card with plastic", change("missing;", "missing;PL-9"), "line 4, plastic serial"},
		{"another format", change("return/1", "return/2"), "line 1, format"},
		{"a batch that is none", change(string(batchID()), "B-1"), "line 1, batch"},
		{"sequence 0", change(";3\n", ";0\n"), "line 1, sequence"},
		{"a sequence with a sign", change(";3\n", ";+3\n"), "line 1, sequence"},
		{"a card that is none", change(string(cardID(0)), "C-1"), "line 2, card"},
		{"a field too many", change("missing;;", "missing;;;"), "line 4, line: has 5 fields"},
		{"a line behind the trailer", good + lines[1], "line 6, line: lines follow the trailer"},
		{"an empty line", change("\nEND", "\n\nEND"), "line 6, line: has 1 fields"},
		{"Latin-1", change("é", "\xe9"), "not UTF-8"},
		{"a control character", change("puce", "pu\x1bce"), "line 3, reason"},
		{"a formula for a spreadsheet is text, a quote is not", change("PL-000123", `"PL"`), "line 2, plastic serial"},
		{"a line too long", change("puce", strings.Repeat("p", 2000)), "line 3, line: has"},
		{"no card", lines[0] + "END;0;0;0;0\n", "truncated"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := bureau.ParseReturn(strings.NewReader(tt.data))
			if !errors.Is(err, lifecycle.Invalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseReturn = %v, want Invalid with %q", err, tt.want)
			}
		})
	}
}

func TestAReturnFileIsBounded(t *testing.T) {
	t.Parallel()
	endless := io.MultiReader(strings.NewReader(bureau.ReturnFormat+";x;1\n"), neverEnding('\n'))
	if _, err := bureau.ParseReturn(endless); !errors.Is(err, lifecycle.Invalid) {
		t.Errorf("an endless file: %v, want Invalid", err)
	}
	broken := iotest.ErrReader(io.ErrUnexpectedEOF)
	if _, err := bureau.ParseReturn(broken); !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, lifecycle.Invalid) {
		t.Errorf("a broken reader: %v, want its own error", err)
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

func FuzzParseReturn(f *testing.F) {
	data, err := bureau.EncodeReturn(sampleReturn())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte(";;\n;;\n;;\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ret, err := bureau.ParseReturn(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, lifecycle.Invalid) {
				t.Fatalf("ParseReturn = %v, want Invalid", err)
			}
			return
		}
		again, err := bureau.EncodeReturn(ret)
		if err != nil || !bytes.Equal(again, bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))) {
			t.Fatalf("a file that was taken is written otherwise: %v", err)
		}
	})
}
