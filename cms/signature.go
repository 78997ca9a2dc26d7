package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"

	"sceau/lifecycle"
)

// Sign makes a DER ContentInfo with SignedData (RFC 5652 §5) around the content,
// with the certificate of its one signer. Signed are the content's type, its
// SHA-256 and the certificate's (RFC 5035 §3), so that no other certificate of
// the same key can be put in its place. The signer's key is the certificate's:
// RSA signs by PKCS #1 v1.5, as every CMS reader checks, an elliptic curve by
// ECDSA. Content of more than [MaxContent] bytes and other keys are
// [lifecycle.Invalid]; a signer's own error is passed on.
func Sign(content []byte, certificate *x509.Certificate, signer crypto.Signer) ([]byte, error) {
	if len(content) > MaxContent {
		return nil, fmt.Errorf("%w: %d bytes to sign, at most %d", lifecycle.Invalid, len(content), MaxContent)
	}
	algorithm, _, err := signatureAlgorithm(certificate)
	if err != nil {
		return nil, err
	}
	if own, ok := certificate.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !own.Equal(signer.Public()) {
		return nil, fmt.Errorf("%w: the signer's key is not the certificate's", lifecycle.Invalid)
	}
	attributes, err := signedAttributes(content, certificate)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(attributes)
	signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sign the message: %w", err)
	}
	octets, err := asn1.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encode the content: %w", err)
	}
	implicit := bytes.Clone(attributes)
	implicit[0] = tagImplicit0
	hash := pkix.AlgorithmIdentifier{Algorithm: oidSHA256()}
	der, err := asn1.Marshal(signedInfo{
		ContentType: oidSignedData(),
		Content: signedData{
			Version: 1,
			Digests: []pkix.AlgorithmIdentifier{hash},
			Content: encapsulated{
				Type:    oidData(),
				Content: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: octets},
			},
			Certificates: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: certificate.Raw},
			Signers: []signerInfo{{
				Version:    1,
				Signer:     issuerAndSerial{Issuer: asn1.RawValue{FullBytes: certificate.RawIssuer}, Serial: certificate.SerialNumber},
				Digest:     hash,
				Attributes: asn1.RawValue{FullBytes: implicit},
				Algorithm:  algorithm,
				Signature:  signature,
			}},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("encode the signed message: %w", err)
	}
	return der, nil
}

// Verify gives the content of a message that [Sign] made, or another tool in the
// same form and DER, when the certificate's key has signed it. Whether the
// certificate is trusted and in time is the caller's to see. What is wrong is
// [lifecycle.Invalid].
func Verify(der []byte, certificate *x509.Certificate) ([]byte, error) {
	_, algorithm, err := signatureAlgorithm(certificate)
	if err != nil {
		return nil, err
	}
	message, err := parseSigned(der)
	if err != nil {
		return nil, err
	}
	signer := message.Signers[0]
	if signer.Signer.Serial == nil || signer.Signer.Serial.Cmp(certificate.SerialNumber) != 0 ||
		!bytes.Equal(signer.Signer.Issuer.FullBytes, certificate.RawIssuer) {
		return nil, fmt.Errorf("%w: the message is not signed by certificate %x", lifecycle.Invalid, certificate.SerialNumber)
	}
	if !signer.Digest.Algorithm.Equal(oidSHA256()) {
		return nil, fmt.Errorf("%w: the digest is %s: only SHA-256 is checked", lifecycle.Invalid, signer.Digest.Algorithm)
	}
	var content []byte
	if rest, err := asn1.Unmarshal(message.Content.Content.Bytes, &content); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("%w: the signed content is not one octet string", lifecycle.Invalid)
	}
	attributes := bytes.Clone(signer.Attributes.FullBytes)
	if len(attributes) == 0 || attributes[0] != tagImplicit0 {
		return nil, fmt.Errorf("%w: the message has no signed attributes", lifecycle.Invalid)
	}
	attributes[0] = tagSet // RFC 5652 §5.4: signed is the SET, not its implicit form
	if err := checkAttributes(attributes, content, certificate); err != nil {
		return nil, err
	}
	if err := certificate.CheckSignature(algorithm, attributes, signer.Signature); err != nil {
		return nil, fmt.Errorf("%w: the signature is not of this message: %w", lifecycle.Invalid, err)
	}
	return content, nil
}

// checkAttributes tells whether signed attributes are of the content and of the
// certificate. Others, a signing time for instance, may stand beside them.
func checkAttributes(set, content []byte, certificate *x509.Certificate) error {
	var there []attribute
	if rest, err := asn1.UnmarshalWithParams(set, &there, "set"); err != nil || len(rest) > 0 {
		return fmt.Errorf("%w: the signed attributes are no set of attributes", lifecycle.Invalid)
	}
	value := func(oid asn1.ObjectIdentifier, into any) bool {
		var found []asn1.RawValue
		for _, a := range there {
			if a.Type.Equal(oid) {
				found = append(found, a.Values...)
			}
		}
		if len(found) != 1 { // RFC 5652 §11.1: once, with one value
			return false
		}
		rest, err := asn1.Unmarshal(found[0].FullBytes, into)
		return err == nil && len(rest) == 0
	}
	var (
		kind   asn1.ObjectIdentifier
		digest []byte
		own    signingCertificate
	)
	if !value(oidContentType(), &kind) || !kind.Equal(oidData()) {
		return fmt.Errorf("%w: the signed attributes do not say that the content is data", lifecycle.Invalid)
	}
	if want := sha256.Sum256(content); !value(oidMessageDigest(), &digest) || !bytes.Equal(digest, want[:]) {
		return fmt.Errorf("%w: the signed digest is not this content's: the message was changed", lifecycle.Invalid)
	}
	want := sha256.Sum256(certificate.Raw)
	if !value(oidSigningCertificateV2(), &own) || len(own.Certificates) == 0 || !bytes.Equal(own.Certificates[0].Hash, want[:]) {
		return fmt.Errorf("%w: the signed attributes do not name the signer's certificate by its SHA-256 (signingCertificateV2)", lifecycle.Invalid)
	}
	return nil
}

// signatureAlgorithm is how a certificate's key signs here: as CMS names it
// (RFC 5754 §3) and as crypto/x509 does.
func signatureAlgorithm(certificate *x509.Certificate) (pkix.AlgorithmIdentifier, x509.SignatureAlgorithm, error) {
	if certificate == nil {
		return pkix.AlgorithmIdentifier{}, 0, fmt.Errorf("%w: no signer's certificate", lifecycle.Invalid)
	}
	if certificate.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return pkix.AlgorithmIdentifier{}, 0, fmt.Errorf("%w: the signer's certificate does not allow digitalSignature", lifecycle.Invalid)
	}
	switch key := certificate.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return pkix.AlgorithmIdentifier{Algorithm: oidECDSAWithSHA256()}, x509.ECDSAWithSHA256, nil
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits {
			return pkix.AlgorithmIdentifier{}, 0, fmt.Errorf("%w: the signer's RSA key has %d bits: use %d or more", lifecycle.Invalid, bits, minRSABits)
		}
		return pkix.AlgorithmIdentifier{Algorithm: oidRSAEncryption(), Parameters: asn1.NullRawValue}, x509.SHA256WithRSA, nil
	default:
		return pkix.AlgorithmIdentifier{}, 0, fmt.Errorf("%w: the signer's key is %s: use an elliptic curve or RSA", lifecycle.Invalid, certificate.PublicKeyAlgorithm)
	}
}

// signedAttributes is SignedAttributes as it is signed: a SET OF, in DER.
func signedAttributes(content []byte, certificate *x509.Certificate) ([]byte, error) {
	digest, own := sha256.Sum256(content), sha256.Sum256(certificate.Raw)
	var set []attribute
	for _, a := range []struct {
		oid   asn1.ObjectIdentifier
		value any
	}{
		{oidContentType(), oidData()},
		{oidMessageDigest(), digest[:]},
		{oidSigningCertificateV2(), signingCertificate{Certificates: []essCertID{{Hash: own[:]}}}},
	} {
		value, err := asn1.Marshal(a.value)
		if err != nil {
			return nil, fmt.Errorf("encode attribute %s: %w", a.oid, err)
		}
		set = append(set, attribute{Type: a.oid, Values: []asn1.RawValue{{FullBytes: value}}})
	}
	der, err := asn1.MarshalWithParams(set, "set")
	if err != nil {
		return nil, fmt.Errorf("encode the signed attributes: %w", err)
	}
	return der, nil
}
