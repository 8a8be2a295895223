// locard._native: what Python sees of the native code.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <tuple>

#include "batch.h"
#include "reader.h"

namespace nb = nanobind;

namespace {

// A batch as Python holds it: `const` is lost in the binding, not in what can be done with it.
struct PyBatch {
  std::shared_ptr<const locard::Batch> batch;
};

void release_capsule(PyObject* capsule) {
  auto* stream = static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule, "arrow_array_stream"));
  if (!stream) return;
  if (stream->release) stream->release(stream);
  delete stream;
}

nb::object stream_capsule(const PyBatch& self, nb::handle /*requested_schema*/) {
  auto stream = std::make_unique<ArrowArrayStream>();
  locard::export_stream(self.batch, stream.get());
  PyObject* capsule = PyCapsule_New(stream.get(), "arrow_array_stream", release_capsule);
  if (!capsule) {
    stream->release(stream.get());
    throw nb::python_error();
  }
  stream.release();
  return nb::steal(capsule);
}

void read_block(locard::Reader& self, nb::bytes block) {
  const std::string_view text(block.c_str(), block.size());
  const nb::gil_scoped_release unlocked;  // `block` is immutable and held by the caller
  self.read(text);
}

PyBatch take_batch(locard::Reader& self) {
  const nb::gil_scoped_release unlocked;
  return {self.take()};
}

nb::list skipped_lines(const locard::Reader& self) {
  nb::list out;
  for (const auto& [reason, entry] : self.skipped()) {
    // Samples are repaired UTF-8, so this decodes whatever the log held.
    out.append(nb::make_tuple(reason, entry.lines, entry.sample));
  }
  return out;
}

nb::list template_list(const locard::Templates& mined) {
  nb::list out;
  for (const auto& found : mined.found()) out.append(nb::make_tuple(found.text, found.count, found.example));
  return out;
}

// For each skeleton the number of its template.
std::vector<std::int32_t> template_groups(const locard::Templates& self) {
  std::vector<std::int32_t> group;
  self.found(&group);
  return group;
}

}  // namespace

NB_MODULE(_native, m) {
  m.doc() = "Native code of locard: the NDJSON reader of the logs wing.";

  nb::class_<PyBatch>(m, "Batch", "The records of one block, for consumers of Arrow.")
      .def("__arrow_c_stream__", &stream_capsule, nb::arg("requested_schema") = nb::none())
      .def_prop_ro("rows", [](const PyBatch& self) { return self.batch->rows(); });

  nb::class_<locard::Templates>(m, "Templates", "Message templates, mined from messages one by one.")
      .def(nb::init<>())
      .def("add", [](locard::Templates& self, const std::string& message) { return self.add(message); },
           nb::arg("message"))
      .def("found", &template_list)
      .def("groups", &template_groups)
      .def_prop_ro("left_out", &locard::Templates::left_out);

  nb::class_<locard::Reader>(m, "Reader", "Reads newline-delimited JSON block by block.")
      .def(
          "__init__",
          [](locard::Reader* self, std::size_t most_fields, int deepest, std::size_t sample_chars,
             bool hands_out, bool mines, std::vector<std::string> only) {
            new (self) locard::Reader({most_fields, deepest, sample_chars, hands_out, mines, std::move(only)});
          },
          nb::kw_only(), nb::arg("most_fields"), nb::arg("deepest"), nb::arg("sample_chars"),
          nb::arg("hands_out") = false, nb::arg("mines") = false,
          nb::arg("only") = std::vector<std::string>{})
      .def("read", &read_block, nb::arg("block"))
      .def("take", &take_batch)
      .def_prop_ro("pending", &locard::Reader::pending)
      .def("text", [](const locard::Reader& self) { return PyBatch{self.text()}; })
      .def("templates", [](const locard::Reader& self) { return template_list(self.templates()); })
      .def_prop_ro("lines", &locard::Reader::lines)
      .def_prop_ro("records", &locard::Reader::records)
      .def_prop_ro("skipped", &skipped_lines)
      .def_prop_ro("fields", &locard::Reader::fields)
      .def_prop_ro("fields_left_out", &locard::Reader::fields_left_out);
}
