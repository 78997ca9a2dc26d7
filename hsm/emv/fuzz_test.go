package emv_test

import (
	"bytes"
	"testing"

	"sceau/hsm/emv"
)

func FuzzTLV(f *testing.F) {
	f.Add([]byte{0x70, 0x05, 0x5A, 0x03, 1, 2, 3})
	f.Add([]byte{0x9F, 0x37, 0x82, 0x00, 0x01, 0xFF, 0x00})
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, err := emv.ParseTLV(data)
		if err != nil {
			return
		}
		var again []byte
		for _, o := range objects {
			again = emv.AppendTLV(again, o.Tag, o.Value)
		}
		same, err := emv.ParseTLV(again)
		if err != nil || len(same) != len(objects) {
			t.Fatal("written again they are others:", err)
		}
		for i := range same {
			if same[i].Tag != objects[i].Tag || !bytes.Equal(same[i].Value, objects[i].Value) {
				t.Errorf("object %d is another", i)
			}
			emv.FindTLV(data, same[i].Tag, 0x5A)
		}
	})
}

func FuzzDOL(f *testing.F) {
	f.Add([]byte(emv.SecurAccess().CDOL1))
	f.Add([]byte(emv.SecurAccess().CDOL2))
	f.Fuzz(func(t *testing.T, dol []byte) {
		entries, err := emv.ParseDOL(dol)
		if err != nil {
			return
		}
		want := 0
		for _, e := range entries {
			want += e.Length
		}
		data, err := emv.TerminalData(dol, 0x80, emv.Transaction{Mode: emv.Mode1, Challenge: "12345678", Amount: "2500", Currency: "978"})
		if err != nil || len(data) != want {
			t.Errorf("%d bytes for a list of %d, %v", len(data), want, err)
		}
	})
}

func FuzzDGI(f *testing.F) {
	f.Add([]byte{0x80, 0x10, 8, 0x24, 0x48, 0x21, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})
	f.Add(append([]byte{0x80, 0x00, 0xFF, 0x01, 0x00}, make([]byte, 256)...))
	key := tdes(f, make([]byte, 16))
	f.Fuzz(func(t *testing.T, data []byte) {
		dgis, err := emv.ParseDGIs(data)
		if err != nil {
			return
		}
		if again, err := emv.EncodeDGIs(dgis); err != nil || !bytes.Equal(again, data) {
			t.Error("written again they are others:", err)
		}
		if image, err := emv.OpenDGIs(data, key); err == nil && emv.CheckCard(image.PAN, image.PSN) != nil {
			t.Error("a card without a number")
		}
	})
}

func FuzzVerify(f *testing.F) {
	v, err := emv.NewVerifier(emv.SecurAccess(), tdes(f, unhex(f, "0123456789ABCDEFFEDCBA9876543210")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("34189661", "24661140", uint16(0x0103), 8)
	f.Add("00000000", "", uint16(0xFFFE), 64)
	f.Fuzz(func(t *testing.T, code, challenge string, last uint16, window int) {
		window = min(max(window, 0), 64)
		match, found, err := v.Verify(emv.Query{
			PAN: pan, PSN: "03", Transaction: emv.Transaction{Mode: emv.Mode3, Challenge: challenge}, Code: code, LastATC: last, Window: window,
		})
		if found && (err != nil || match.ATC <= last || int(match.ATC) > int(last)+window) {
			t.Error("found outside the window:", match, err)
		}
	})
}
