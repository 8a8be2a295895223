// Endpoints without their ids: `/orders/8123/pay` becomes `/orders/{id}/pay`.
#pragma once

#include <string>
#include <string_view>

namespace locard {

// Whether a text looks like the path, the URL or the request line of a request.
bool is_endpoint(std::string_view text);

// Appends the text without method, host, query and fragment, and with {id} for the parts that are ids:
// the same as `locard.logs.fields.endpoints` does in SQL, which says what an id is.
void append_endpoint(std::string_view text, std::string& out);

}  // namespace locard
