package main

import (
	"encoding/pem"
	"io"
	"os"

	"sceau/cmd/sceau/internal/house"
)

// ceremonyServerCmd certifies a TLS listener of the house.
type ceremonyServerCmd struct {
	ceremonyFlags
	keystoreFlags

	PublicBase string   `help:"Where relying parties reach the public door, http://host: for a CA that was recorded without." env:"SCEAU_PUBLIC_BASE" placeholder:"URL"`
	CSR        string   `name:"csr" help:"PKCS #10 request, PEM or DER: of it the key is taken and nothing else." type:"existingfile" required:"" placeholder:"FILE"`
	Hosts      []string `name:"host" help:"A DNS name or an IP address of the listener; give one or more." required:""`
	Out        string   `help:"Where the certificate is written, PEM." required:"" placeholder:"FILE"`
}

// maxCSR bounds a request that is read, in octets.
const maxCSR = 64 << 10

// Run certifies.
func (c ceremonyServerCmd) Run(w *world) error {
	file, err := openFile(c.CSR)
	if err != nil {
		return err
	}
	csr, err := io.ReadAll(io.LimitReader(file, maxCSR))
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return c.with(w, c.keystoreFlags, func(h *house.House, k house.Ceremony) error {
		k.PublicBase = c.PublicBase
		certificate, err := h.CertifyServer(w.ctx, k, house.ServerRequest{CSR: csr, Hosts: c.Hosts})
		if err != nil {
			return err
		}
		const mode = 0o644 // a certificate is public
		return os.WriteFile(c.Out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}), mode)
	})
}
