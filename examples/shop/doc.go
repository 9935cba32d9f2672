// Package shop makes a PostgreSQL database that looks like a shop's production:
// customers with addresses, orders, payments, messages and staff, and with what
// real schemas have and simple examples lack, such as foreign keys in a cycle, a
// partitioned table, enum, array, domain, generated and identity columns, JSON
// documents, a copy of the customer's address in another table, a materialized
// view, a trigger and a sequence that belongs to no column.
//
// The rows come from a seeded generator: the same [Size] gives the same rows,
// byte for byte. Nobody in them exists.
//
// privet.yaml beside this file is the policy that decides every column.
package shop
