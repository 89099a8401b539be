package wire

import "reflect"

// shape is what decoding alone does not hold a record to: that bytes come as a byte string, and a fixed number of them as exactly that
// many. The library takes a list of numbers for bytes, and cuts or fills a byte string of another length. A nil shape allows anything.
type shape struct {
	bytes  bool
	size   int      // of bytes: how many, or anyLength
	fields []*shape // of an array that stands for a struct, or has as many elements always
	last   int      // the last of fields that is not nil
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
		if t.Elem().Kind() == reflect.Uint8 {
			return &shape{bytes: true, size: t.Len()}
		}
		return &shape{fields: make([]*shape, t.Len()), last: -1} // of numbers
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
		s := &shape{fields: make([]*shape, t.NumField()-1), last: -1}
		for i := range s.fields {
			if s.fields[i] = shapeOf(t.Field(i + 1).Type); s.fields[i] != nil {
				s.last = i
			}
		}
		if s.last >= 0 {
			return s
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

// fits reports whether the array in item has the shape, which is that of a struct. item must have been decoded without an error:
// lengths are not checked against its end.
func (s *shape) fits(item []byte) bool {
	_, elements, at := itemHead(item, 0)
	for i, field := range s.fields[:min(elements, len(s.fields))] {
		if i > s.last {
			break
		}
		if field == nil {
			at = skip(item, at)
		} else if at = field.check(item, at); at < 0 {
			return false
		}
	}
	return true
}

// check returns where the item at b[at] ends, or a negative number if it does not have the shape.
func (s *shape) check(b []byte, at int) int {
	if s == nil || b[at] == 0xf6 || b[at] == 0xf7 { // null and undefined are zero
		return skip(b, at)
	}
	major, arg, at := itemHead(b, at)
	if s.bytes {
		if major != majorBytes || s.size != anyLength && arg != s.size {
			return -1
		}
		return at + arg
	}
	if s.fields != nil && arg != len(s.fields) {
		return -1
	}
	for i := range arg {
		next := s.each
		if s.fields != nil {
			next = s.fields[i]
		}
		if at = next.check(b, at); at < 0 {
			return -1
		}
	}
	return at
}

// skip returns where the item at b[at] ends.
func skip(b []byte, at int) int {
	major, arg, at := itemHead(b, at)
	switch major {
	case majorBytes, majorText:
		return at + arg
	case majorMap:
		arg *= 2
		fallthrough
	case majorArray:
		for range arg {
			at = skip(b, at)
		}
	}
	return at
}

// itemHead takes the head of the item at b[at] apart (RFC 8949, section 3) and returns what stands behind it.
func itemHead(b []byte, at int) (major byte, arg, next int) {
	first := b[at]
	at++
	info := first & 31
	if info < 24 {
		return first >> 5, int(info), at
	}
	for range 1 << (info - 24) {
		arg = arg<<8 | int(b[at])
		at++
	}
	return first >> 5, arg, at
}
