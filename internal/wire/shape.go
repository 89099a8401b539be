package wire

import "reflect"

// shape is what decoding alone does not hold a record to: that bytes come as a byte string, and a fixed number of them as exactly that
// many. The library takes a list of numbers for bytes, and cuts or fills a byte string of another length. A nil shape allows anything.
type shape struct {
	bytes  bool
	size   int      // of bytes: how many, or anyLength
	fields []*shape // of an array that stands for a struct
	each   *shape   // of a list
}

const anyLength = -1

// shapes holds the shape of each record that has bytes in it.
var shapes = func() (all [256]*shape) {
	for t, maker := range makers {
		all[t] = shapeOf(reflect.TypeOf(maker()).Elem())
	}
	return all
}()

var presenceShape = shapeOf(reflect.TypeFor[RoomPresence]())

func shapeOf(t reflect.Type) *shape {
	switch t.Kind() {
	case reflect.Pointer:
		return shapeOf(t.Elem())
	case reflect.Array:
		return &shape{bytes: true, size: t.Len()}
	case reflect.Slice:
		switch {
		case t == reflect.TypeFor[Raw]():
			return nil
		case t.Elem().Kind() == reflect.Uint8:
			return &shape{bytes: true, size: anyLength}
		}
		if each := shapeOf(t.Elem()); each != nil {
			return &shape{each: each}
		}
	case reflect.Struct:
		if t.Field(0).Name != "_" {
			return nil // a map, not an array
		}
		fields, some := make([]*shape, t.NumField()-1), false
		for i := range fields {
			fields[i] = shapeOf(t.Field(i + 1).Type)
			some = some || fields[i] != nil
		}
		if some {
			return &shape{fields: fields}
		}
	}
	return nil
}

const (
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorMap   = 5
)

// fits reports whether the item at the start of b has the shape, and returns what stands behind it. b must have been decoded without an
// error: lengths are not checked against its end.
func (s *shape) fits(b []byte) (rest []byte, ok bool) {
	major, arg, inside := itemHead(b)
	switch {
	case s == nil || b[0] == 0xf6 || b[0] == 0xf7: // null and undefined are zero
		return skip(b), true
	case s.bytes:
		if major != majorBytes || s.size != anyLength && arg != uint64(s.size) {
			return nil, false
		}
		return inside[arg:], true
	}
	for i := range arg {
		next := s.each
		if s.fields != nil {
			next = s.fields[i]
		}
		if inside, ok = next.fits(inside); !ok {
			return nil, false
		}
	}
	return inside, true
}

// skip returns what stands behind the item at the start of b.
func skip(b []byte) []byte {
	major, arg, b := itemHead(b)
	switch major {
	case majorBytes, majorText:
		return b[arg:]
	case majorMap:
		arg *= 2
		fallthrough
	case majorArray:
		for range arg {
			b = skip(b)
		}
	}
	return b
}

// itemHead takes the head of an item apart (RFC 8949, section 3).
func itemHead(b []byte) (major byte, arg uint64, rest []byte) {
	major, info := b[0]>>5, b[0]&31
	if info < 24 {
		return major, uint64(info), b[1:]
	}
	size := 1 << (info - 24)
	for _, c := range b[1 : 1+size] {
		arg = arg<<8 | uint64(c)
	}
	return major, arg, b[1+size:]
}
