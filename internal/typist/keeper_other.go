//go:build !unix

package typist

const keeperVariable = ""
