package cms

import (
	"bytes"
	"crypto/aes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"sceau/lifecycle"
)

// Object identifiers, each with its source. They are values, not variables:
// asn1.ObjectIdentifier is a slice that anybody could change.
func oidEnvelopedData() asn1.ObjectIdentifier { // RFC 5652 §6.1
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 3}
}

func oidData() asn1.ObjectIdentifier { // RFC 5652 §4
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
}

func oidSignedData() asn1.ObjectIdentifier { // RFC 5652 §5.1
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
}

func oidContentType() asn1.ObjectIdentifier { // RFC 5652 §11.1
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
}

func oidMessageDigest() asn1.ObjectIdentifier { // RFC 5652 §11.2
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
}

func oidSigningCertificateV2() asn1.ObjectIdentifier { // RFC 5035 §3
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
}

func oidECDSAWithSHA256() asn1.ObjectIdentifier { // RFC 5754 §3.3
	return asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
}

func oidRSAEncryption() asn1.ObjectIdentifier { // RFC 3370 §3.2
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
}

func oidOAEP() asn1.ObjectIdentifier { // RFC 4055 §4.1
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 7}
}

func oidMGF1() asn1.ObjectIdentifier { // RFC 4055 §2.2
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
}

func oidSHA256() asn1.ObjectIdentifier { // RFC 4055 §2.1
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
}

func oidAES256CBC() asn1.ObjectIdentifier { // RFC 3565 §4.1
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
}

// contentInfo is ContentInfo (RFC 5652 §3).
type contentInfo struct {
	ContentType asn1.ObjectIdentifier
	Content     envelopedData `asn1:"explicit,tag:0"`
}

// envelopedData is EnvelopedData (RFC 5652 §6.1) without originatorInfo and
// unprotectedAttrs: version 0, every recipient a KeyTransRecipientInfo.
type envelopedData struct {
	Version    int
	Recipients []keyTransRecipient `asn1:"set"`
	Content    encryptedContent
}

// keyTransRecipient is KeyTransRecipientInfo (RFC 5652 §6.2.1), version 0:
// the recipient is named by issuer and serial number.
type keyTransRecipient struct {
	Version      int
	Recipient    issuerAndSerial
	Algorithm    pkix.AlgorithmIdentifier
	EncryptedKey []byte
}

// First octets of a set, and of one that is tagged [0] implicitly.
const (
	tagSet       = 0x31
	tagImplicit0 = 0xa0
)

// signedInfo is ContentInfo (RFC 5652 §3) around SignedData.
type signedInfo struct {
	ContentType asn1.ObjectIdentifier
	Content     signedData `asn1:"explicit,tag:0"`
}

// signedData is SignedData (RFC 5652 §5.1) without crls: version 1, every signer
// named by issuer and serial number.
type signedData struct {
	Version      int
	Digests      []pkix.AlgorithmIdentifier `asn1:"set"`
	Content      encapsulated
	Certificates asn1.RawValue // [0] IMPLICIT SET OF; always there in this form
	Signers      []signerInfo  `asn1:"set"`
}

// encapsulated is EncapsulatedContentInfo (RFC 5652 §5.2).
type encapsulated struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue // [0] EXPLICIT OCTET STRING
}

// signerInfo is SignerInfo (RFC 5652 §5.3) without unsigned attributes.
type signerInfo struct {
	Version    int
	Signer     issuerAndSerial
	Digest     pkix.AlgorithmIdentifier
	Attributes asn1.RawValue // [0] IMPLICIT SET OF
	Algorithm  pkix.AlgorithmIdentifier
	Signature  []byte
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values []asn1.RawValue `asn1:"set"`
}

// signingCertificate is SigningCertificateV2 (RFC 5035 §3): the signer's
// certificate first.
type signingCertificate struct {
	Certificates []essCertID
}

// essCertID is ESSCertIDv2 (RFC 5035 §4) with its default hash, SHA-256.
type essCertID struct {
	Hash         []byte
	IssuerSerial asn1.RawValue `asn1:"optional"`
}

type issuerAndSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

type encryptedContent struct {
	Type      asn1.ObjectIdentifier
	Algorithm pkix.AlgorithmIdentifier
	Content   asn1.RawValue `asn1:"optional"` // [0] IMPLICIT OCTET STRING
}

// oaepParameters is RSAES-OAEP-params (RFC 4055 §4.1); pSourceAlgorithm is
// left at its default, the empty label.
type oaepParameters struct {
	Hash pkix.AlgorithmIdentifier `asn1:"explicit,tag:0"`
	MGF  pkix.AlgorithmIdentifier `asn1:"explicit,tag:1"`
}

// oaepAlgorithm is RSAES-OAEP with SHA-256 as hash and in MGF1.
func oaepAlgorithm() (pkix.AlgorithmIdentifier, error) {
	hash := pkix.AlgorithmIdentifier{Algorithm: oidSHA256(), Parameters: asn1.NullRawValue}
	hashDER, err := asn1.Marshal(hash)
	if err != nil {
		return pkix.AlgorithmIdentifier{}, fmt.Errorf("encode the OAEP hash: %w", err)
	}
	params, err := asn1.Marshal(oaepParameters{
		Hash: hash,
		MGF:  pkix.AlgorithmIdentifier{Algorithm: oidMGF1(), Parameters: asn1.RawValue{FullBytes: hashDER}},
	})
	if err != nil {
		return pkix.AlgorithmIdentifier{}, fmt.Errorf("encode the OAEP parameters: %w", err)
	}
	return pkix.AlgorithmIdentifier{Algorithm: oidOAEP(), Parameters: asn1.RawValue{FullBytes: params}}, nil
}

// checkOAEP accepts OAEP with SHA-256 for hash and MGF1 and no label, with
// the NULL parameters of SHA-256 present or absent (RFC 4055 §2.1).
func checkOAEP(alg pkix.AlgorithmIdentifier) error {
	if !alg.Algorithm.Equal(oidOAEP()) {
		return fmt.Errorf("%w: the key is wrapped by %s: only RSAES-OAEP is opened", lifecycle.Invalid, alg.Algorithm)
	}
	var params oaepParameters
	if rest, err := asn1.Unmarshal(alg.Parameters.FullBytes, &params); err != nil || len(rest) > 0 {
		return fmt.Errorf("%w: the OAEP parameters are not those of SHA-256", lifecycle.Invalid)
	}
	var mgf pkix.AlgorithmIdentifier
	if rest, err := asn1.Unmarshal(params.MGF.Parameters.FullBytes, &mgf); err != nil || len(rest) > 0 ||
		!params.MGF.Algorithm.Equal(oidMGF1()) || !mgf.Algorithm.Equal(oidSHA256()) || !params.Hash.Algorithm.Equal(oidSHA256()) {
		return fmt.Errorf("%w: the OAEP parameters are not those of SHA-256", lifecycle.Invalid)
	}
	return nil
}

// parse reads an envelope and finds the part of the recipient.
func parse(der []byte, recipient *x509.Certificate) (keyTransRecipient, encryptedContent, error) {
	var none keyTransRecipient
	if len(der) > MaxContent+maxOverhead {
		return none, encryptedContent{}, fmt.Errorf("%w: the envelope has more than %d bytes", lifecycle.Invalid, MaxContent+maxOverhead)
	}
	var info contentInfo
	rest, err := asn1.Unmarshal(der, &info)
	switch {
	case err != nil:
		return none, encryptedContent{}, fmt.Errorf("%w: read the envelope: %w", lifecycle.Invalid, err)
	case len(rest) > 0:
		return none, encryptedContent{}, fmt.Errorf("%w: %d bytes follow the envelope", lifecycle.Invalid, len(rest))
	case !info.ContentType.Equal(oidEnvelopedData()):
		return none, encryptedContent{}, fmt.Errorf("%w: content type %s is not envelopedData", lifecycle.Invalid, info.ContentType)
	}
	for _, r := range info.Content.Recipients {
		if r.Recipient.Serial != nil && r.Recipient.Serial.Cmp(recipient.SerialNumber) == 0 &&
			bytes.Equal(r.Recipient.Issuer.FullBytes, recipient.RawIssuer) {
			return r, info.Content.Content, nil
		}
	}
	return none, encryptedContent{}, fmt.Errorf("%w: the envelope is not for certificate %x", lifecycle.Invalid, recipient.SerialNumber)
}

// parseSigned reads a signed message of one signer around content of type data.
func parseSigned(der []byte) (signedData, error) {
	if len(der) > MaxContent+maxOverhead {
		return signedData{}, fmt.Errorf("%w: the message has more than %d bytes", lifecycle.Invalid, MaxContent+maxOverhead)
	}
	var info signedInfo
	rest, err := asn1.Unmarshal(der, &info)
	switch {
	case err != nil:
		return signedData{}, fmt.Errorf("%w: read the signed message: %w", lifecycle.Invalid, err)
	case len(rest) > 0:
		return signedData{}, fmt.Errorf("%w: %d bytes follow the signed message", lifecycle.Invalid, len(rest))
	case !info.ContentType.Equal(oidSignedData()):
		return signedData{}, fmt.Errorf("%w: content type %s is not signedData", lifecycle.Invalid, info.ContentType)
	case !info.Content.Content.Type.Equal(oidData()):
		return signedData{}, fmt.Errorf("%w: what is signed is %s, not data", lifecycle.Invalid, info.Content.Content.Type)
	case len(info.Content.Signers) != 1:
		return signedData{}, fmt.Errorf("%w: the message has %d signers, one is expected", lifecycle.Invalid, len(info.Content.Signers))
	}
	return info.Content, nil
}

var errCiphertext = errors.New("the envelope cannot be opened: wrong key, or damaged")

// ciphertext checks the cipher and gives IV and whole blocks.
func (c encryptedContent) ciphertext() (iv, blocks []byte, err error) {
	if !c.Algorithm.Algorithm.Equal(oidAES256CBC()) {
		return nil, nil, fmt.Errorf("%w: the content is enciphered by %s: only AES-256-CBC is opened",
			lifecycle.Invalid, c.Algorithm.Algorithm)
	}
	if rest, err := asn1.Unmarshal(c.Algorithm.Parameters.FullBytes, &iv); err != nil || len(rest) > 0 || len(iv) != aes.BlockSize {
		return nil, nil, fmt.Errorf("%w: the initialisation vector is not %d bytes", lifecycle.Invalid, aes.BlockSize)
	}
	blocks = c.Content.Bytes
	if c.Content.Class != asn1.ClassContextSpecific || c.Content.Tag != 0 || c.Content.IsCompound ||
		len(blocks) == 0 || len(blocks)%aes.BlockSize != 0 {
		return nil, nil, fmt.Errorf("%w: %w", lifecycle.Invalid, errCiphertext)
	}
	return iv, blocks, nil
}
