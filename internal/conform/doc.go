// Package conform has the tests that let tools which nobody here wrote judge the
// certificates, lists and OCSP answers of the real code, through the real door.
package conform
