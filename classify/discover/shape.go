package discover

import (
	"slices"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/catalog"
)

// A columnShape groups the SQL types that can hold the same sort of data.
type columnShape uint8

const (
	shapeOther columnShape = iota
	shapeText
	shapeBool
	shapeInteger
	shapeDecimal
	shapeDate
	shapeUUID
	shapeEnum
	shapeDocument
	shapeBytes
	shapeNetwork
	shapePlace
)

// shape returns the group of a column's type, of its elements for an array.
func shape(c *catalog.Column) columnShape {
	if c.TypeKind == 'e' {
		return shapeEnum
	}
	switch c.BaseType {
	case "text", "varchar", "bpchar", "citext", "name":
		return shapeText
	case "bool":
		return shapeBool
	case "int2", "int4", "int8":
		return shapeInteger
	case "numeric", "float4", "float8", "money":
		return shapeDecimal
	case "date", "timestamp", "timestamptz":
		return shapeDate
	case "uuid":
		return shapeUUID
	case "json", "jsonb":
		return shapeDocument
	case "bytea":
		return shapeBytes
	case "inet", "cidr", "macaddr", "macaddr8":
		return shapeNetwork
	case "point", "geometry", "geography", "box", "circle", "polygon", "path":
		return shapePlace
	}
	return shapeOther
}

// numbers are the types that are sometimes stored as numbers.
var numbers = []classify.Type{
	classify.Phone, classify.CardNumber, classify.USSSN, classify.NationalID, classify.Passport, classify.TaxID,
	classify.BankAccount, classify.DeviceID, classify.Salary, classify.Postcode, classify.DateOfBirth, classify.Secret,
	classify.GeoLocation, classify.IPAddress,
}

// plausible reports whether a column of this type can hold what its name says: a
// timestamp called mail is when it was sent, a bigint called address is a key.
func plausible(t classify.Type, c *catalog.Column) bool {
	special := t == "" || t == classify.Health || t == classify.Gender
	switch shape(c) {
	case shapeText, shapeBytes:
		return true
	case shapeBool:
		return special
	case shapeEnum:
		return special || t == classify.Country
	case shapeInteger, shapeDecimal:
		return special || slices.Contains(numbers, t)
	case shapeDate:
		return t == classify.DateOfBirth
	case shapeUUID:
		return t == classify.Secret || t == classify.DeviceID
	case shapeNetwork:
		return t == classify.IPAddress || t == classify.MACAddress
	case shapePlace:
		return t == classify.GeoLocation
	}
	return false
}
