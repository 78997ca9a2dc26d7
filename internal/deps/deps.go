//go:build deps

// Package deps keeps module requirements while the rooms are being built.
package deps

import (
	_ "codeberg.org/go-pdf/fpdf"
	_ "github.com/alecthomas/kong"
	_ "github.com/boombuler/barcode/datamatrix"
	_ "github.com/hashicorp/vault/api"
	_ "github.com/hashicorp/vault/sdk/framework"
	_ "github.com/hashicorp/vault/sdk/logical"
	_ "github.com/hashicorp/vault/sdk/plugin"
	_ "github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/pressly/goose/v3"
	_ "github.com/pressly/goose/v3/lock"
	_ "github.com/riverqueue/river"
	_ "github.com/riverqueue/river/riverdriver/riverpgxv5"
	_ "github.com/riverqueue/river/rivermigrate"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/schollz/progressbar/v3"
	_ "github.com/smallstep/certificates/cas/softcas"
	_ "github.com/smallstep/pkcs7"
	_ "github.com/zmap/zlint/v3"
	_ "go.step.sm/crypto/x509util"
	_ "golang.org/x/crypto/cryptobyte"
	_ "golang.org/x/crypto/ocsp"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/text/unicode/norm"
	_ "gopkg.in/yaml.v3"
	_ "pgregory.net/rapid"
)
