package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readItem is a second reading of RFC 8949, written from its text and sharing nothing with the codec: what both agree on is not one
// library's habit. It takes only what core deterministic encoding (section 4.2.1) allows, which is what this package must write.
// Integers come as uint64 or int64, byte strings as []byte, text as string, arrays as []any, maps as []any of keys and values.
func readItem(b []byte) (v any, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, fmt.Errorf("an item is missing")
	}
	major, info := b[0]>>5, b[0]&0x1f
	if major == 7 {
		return readSimple(b)
	}
	arg, rest, err := readArgument(info, b[1:])
	if err != nil {
		return nil, nil, err
	}
	switch major {
	case 0:
		return arg, rest, nil
	case 1:
		if arg > math.MaxInt64 {
			return nil, nil, fmt.Errorf("-1-%d does not fit", arg)
		}
		return -1 - int64(arg), rest, nil
	case 2, 3:
		if arg > uint64(len(rest)) {
			return nil, nil, fmt.Errorf("a string of %d bytes ends after %d", arg, len(rest))
		}
		s := rest[:arg]
		if major == 2 {
			return bytes.Clone(append([]byte{}, s...)), rest[arg:], nil
		}
		if !utf8.Valid(s) {
			return nil, nil, fmt.Errorf("text %q is not UTF-8", s)
		}
		return string(s), rest[arg:], nil
	case 4:
		return readItems(arg, rest)
	case 5:
		return readMap(arg, rest)
	}
	return nil, nil, fmt.Errorf("major type %d has no place in a record", major)
}

// readArgument reads the argument of a head (section 3) and insists on its shortest form.
func readArgument(info byte, b []byte) (arg uint64, rest []byte, err error) {
	if info < 24 {
		return uint64(info), b, nil
	}
	if info > 27 {
		return 0, nil, fmt.Errorf("additional information %d: reserved, or an indefinite length", info)
	}
	n := 1 << (info - 24)
	if len(b) < n {
		return 0, nil, fmt.Errorf("a head ends early")
	}
	for _, c := range b[:n] {
		arg = arg<<8 | uint64(c)
	}
	least := []uint64{24, 1 << 8, 1 << 16, 1 << 32}[info-24]
	if arg < least {
		return 0, nil, fmt.Errorf("%d is not in its shortest form", arg)
	}
	return arg, b[n:], nil
}

func readItems(n uint64, b []byte) (any, []byte, error) {
	items := []any{}
	for range n {
		v, rest, err := readItem(b)
		if err != nil {
			return nil, nil, err
		}
		items, b = append(items, v), rest
	}
	return items, b, nil
}

// readMap insists on keys in ascending order of their encoding, which forbids the same key twice as well.
func readMap(pairs uint64, b []byte) (any, []byte, error) {
	items, last := []any{}, []byte(nil)
	for range pairs {
		key, rest, err := readItem(b)
		if err != nil {
			return nil, nil, err
		}
		encoded := b[:len(b)-len(rest)]
		if last != nil && bytes.Compare(last, encoded) >= 0 {
			return nil, nil, fmt.Errorf("key %v is out of order", key)
		}
		last = encoded
		value, rest, err := readItem(rest)
		if err != nil {
			return nil, nil, err
		}
		items, b = append(items, key, value), rest
	}
	return items, b, nil
}

// readSimple reads false, true, null, and floating-point numbers of 16, 32 and 64 bits.
func readSimple(b []byte) (any, []byte, error) {
	size := map[byte]int{25: 2, 26: 4, 27: 8}[b[0]&0x1f]
	switch {
	case b[0] == 0xf4 || b[0] == 0xf5:
		return b[0] == 0xf5, b[1:], nil
	case b[0] == 0xf6:
		return nil, b[1:], nil
	case size == 0 || len(b) < 1+size:
		return nil, nil, fmt.Errorf("simple value %#x", b[0])
	}
	raw, rest := b[1:1+size], b[1+size:]
	switch size {
	case 2: // appendix D
		half := binary.BigEndian.Uint16(raw)
		exp, mant := int(half>>10&0x1f), float64(half&0x3ff)
		v := math.Ldexp(mant+1024, exp-25)
		switch {
		case exp == 0:
			v = math.Ldexp(mant, -24)
		case exp == 31 && mant == 0:
			v = math.Inf(1)
		case exp == 31:
			v = math.NaN()
		}
		if half&0x8000 != 0 {
			v = -v
		}
		return v, rest, nil
	case 4:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(raw))), rest, nil
	}
	return math.Float64frombits(binary.BigEndian.Uint64(raw)), rest, nil
}

// elements returns what readItem should find for v: the fields of a struct in their order, as docs/protocol.md lists them.
func elements(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return elements(v.Elem())
	case reflect.Bool:
		return v.Bool()
	case reflect.String:
		return v.String()
	case reflect.Float64:
		return v.Float()
	case reflect.Uint8, reflect.Uint16, reflect.Uint64:
		return v.Uint()
	case reflect.Int64:
		if v.Int() >= 0 {
			return uint64(v.Int())
		}
		return v.Int()
	case reflect.Struct:
		return structElements(v)
	}
	if raw, ok := v.Interface().(Raw); ok {
		item, _, err := readItem(raw)
		if err != nil {
			panic(err)
		}
		return item
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		b := []byte{}
		for i := range v.Len() {
			b = append(b, byte(v.Index(i).Uint()))
		}
		return b
	}
	list := []any{}
	for i := range v.Len() {
		list = append(list, elements(v.Index(i)))
	}
	return list
}

func structElements(v reflect.Value) any {
	list := []any{}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key, _, isMap := strings.Cut(field.Tag.Get("cbor"), ",keyasint")
		switch {
		case field.Name == "_":
		case !isMap:
			list = append(list, elements(v.Field(i)))
		case !v.Field(i).IsZero():
			n, err := strconv.ParseUint(key, 10, 64)
			if err != nil {
				panic(err)
			}
			list = append(list, n, elements(v.Field(i)))
		}
	}
	return list
}
