// OpenVDB's headers, with one of their parts mended: Boost below 1.81 lets enumerations without a fixed type go below
// their least value in constant expressions, which newer compilers refuse. Here they are with a type, in place of the
// headers that declare them.
#ifndef SSDF_OPENVDB_HEADERS_H
#define SSDF_OPENVDB_HEADERS_H

#include <boost/version.hpp>

#if BOOST_VERSION < 108100
#define BOOST_NUMERIC_CONVERSION_UDT_BUILTIN_MIXTURE_ENUM_FLC_12NOV2002_HPP
#define BOOST_NUMERIC_CONVERSION_INT_FLOAT_MIXTURE_ENUM_FLC_12NOV2002_HPP
#define BOOST_NUMERIC_CONVERSION_SIGN_MIXTURE_ENUM_FLC_12NOV2002_HPP
namespace boost {
namespace numeric {
enum udt_builtin_mixture_enum : int { builtin_to_builtin, builtin_to_udt, udt_to_builtin, udt_to_udt };
enum int_float_mixture_enum : int { integral_to_integral, integral_to_float, float_to_integral, float_to_float };
enum sign_mixture_enum : int { unsigned_to_unsigned, signed_to_signed, signed_to_unsigned, unsigned_to_signed };
} // namespace numeric
} // namespace boost
#endif

// Halves are converted here by arithmetic, so that Imath's table, in a library named after its version, is not needed.
#define IMATH_HALF_NO_LOOKUP_TABLE

#include <openvdb/io/Archive.h>
#include <openvdb/io/Stream.h>
#include <openvdb/openvdb.h>
#include <openvdb/tools/SignedFloodFill.h>

#endif
