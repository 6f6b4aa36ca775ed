/*
 * The description of a column, which from 18 on lies behind an array of shorter ones.
 */
#include "shim.h"

#include "access/tupdesc.h"

const FormData_pg_attribute *
mvcc_attribute(TupleDesc description, int index)
{
    return TupleDescAttr(description, index);
}
