// locard._native: what Python sees of the native code.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "batch.h"
#include "mined_rows.h"
#include "scanner.h"

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

std::string last_error(ArrowArrayStream& stream) {
  const char* const said = stream.get_last_error(&stream);
  return said ? said : "the records could not be read";
}

PyBatch add_rows(locard::Templates& self, nb::handle rows) {
  const nb::object capsule = rows.attr("__arrow_c_stream__")();
  auto* stream = static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule.ptr(), "arrow_array_stream"));
  if (!stream) throw nb::python_error();
  return {locard::add_rows(self, *stream)};  // the capsule releases it
}

void read_block(locard::Scanner& self, nb::bytes block) {
  const std::string_view text(block.c_str(), block.size());
  const nb::gil_scoped_release unlocked;  // `block` is immutable and held by the caller
  self.read(text);
}

locard::Wrappings wrappings_of(std::vector<std::string> words, const nb::object& is_wrapped) {
  locard::Wrappings wrappings{std::move(words)};
  if (!is_wrapped.is_none()) {
    wrappings.has_line = [&is_wrapped](std::string_view line) {
      const nb::gil_scoped_acquire locked;
      return nb::cast<bool>(is_wrapped(nb::bytes(line.data(), line.size())));
    };
  }
  return wrappings;
}

// Of an object with an Arrow stream: a number of a line and texts. Other columns are refused.
void read_records(locard::Scanner& self, nb::object records) {
  nb::object capsule = records.attr("__arrow_c_stream__")();
  auto* const stream = static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule.ptr(), "arrow_array_stream"));
  if (!stream || !stream->release) throw nb::type_error("no Arrow stream");
  ArrowSchema schema;
  if (stream->get_schema(stream, &schema)) throw std::runtime_error(last_error(*stream));
  const std::unique_ptr<ArrowSchema, void (*)(ArrowSchema*)> kept_schema(&schema, [](ArrowSchema* s) { s->release(s); });
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    if (std::string_view(schema.children[i]->format) != (i ? "u" : "l")) throw nb::type_error("no column of texts");
  }
  for (;;) {
    ArrowArray array;
    if (stream->get_next(stream, &array)) throw std::runtime_error(last_error(*stream));
    if (!array.release) return;
    const std::unique_ptr<ArrowArray, void (*)(ArrowArray*)> kept(&array, [](ArrowArray* a) { a->release(a); });
    bool is_plain = array.offset == 0;
    for (std::int64_t i = 0; i < array.n_children; ++i) is_plain = is_plain && array.children[i]->offset == 0;
    if (!is_plain) throw nb::type_error("a part of an array");
    if (array.length) self.read_columns(schema, array);
  }
}

std::pair<std::int64_t, bool> scan_file(locard::Scanner& self, int file, std::int64_t offset, std::int64_t end,
                                         std::int64_t most, std::vector<std::string> words, nb::object is_wrapped) {
  locard::Scanner::Stop stop;
  const locard::Wrappings wrappings = wrappings_of(std::move(words), is_wrapped);
  {
    const nb::gil_scoped_release unlocked;
    stop = self.scan(file, offset, end, most, wrappings);
  }
  if (stop.error) {
    errno = stop.error;
    PyErr_SetFromErrno(PyExc_OSError);
    throw nb::python_error();
  }
  return {stop.offset, stop.odd};
}

PyBatch take_batch(locard::Scanner& self) {
  const nb::gil_scoped_release unlocked;
  return {self.take()};
}

nb::list skipped_lines(const locard::Scanner& self) {
  nb::list out;
  for (const auto& [reason, entry] : self.skipped()) {
    // Samples are repaired UTF-8, so this decodes whatever the log held.
    out.append(nb::make_tuple(reason, entry.lines, entry.sample));
  }
  return out;
}

const char* kind_word(locard::Kind kind) {
  switch (kind) {
    case locard::Kind::kCodes: return "codes";
    case locard::Kind::kIntegers: return "integers";
    case locard::Kind::kDoubles: return "doubles";
    case locard::Kind::kTimes: return "times";
    case locard::Kind::kIds: return "ids";
    default: return "texts";
  }
}

// Name, column, kind, how it is written, what its column of shapes holds, the number of codes, and whether it is raw.
nb::list field_list(const locard::Scanner& self) {
  nb::list out;
  for (const auto& field : self.fields()) {
    std::string written;
    if (field.form.kind == locard::Kind::kDoubles) written = field.form.bare ? "bare" : "point";
    if (field.form.kind == locard::Kind::kTimes) written = field.form.time.words();
    if (field.form.kind == locard::Kind::kIds) written = field.form.dashed ? "dashed" : "plain";
    const std::size_t codes = field.form.kind == locard::Kind::kCodes ? field.dictionary.size() : 0;
    const char* const shapes = field.message ? "skeletons" : field.path ? "endpoints" : "";
    out.append(nb::make_tuple(field.name, field.column, kind_word(field.form.kind), written, shapes, codes, field.is_raw));
  }
  return out;
}

const locard::Scanner::Field& field_at(const locard::Scanner& self, std::size_t field) {
  if (field >= self.fields().size()) throw nb::index_error("no such field");
  return self.fields()[field];
}

nb::list texts_of(const locard::Dictionary& dictionary) {
  nb::list out;
  for (std::size_t i = 0; i < dictionary.size(); ++i) {
    const std::string_view text = dictionary.text(static_cast<std::int32_t>(i));
    out.append(nb::str(text.data(), text.size()));
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
  m.doc() = "Native code of locard: the log scanner of the logs wing.";

  m.def(
      "is_odd",
      [](nb::bytes block, bool begins, std::vector<std::string> words, nb::object is_wrapped) {
        return locard::is_odd({block.c_str(), block.size()}, wrappings_of(std::move(words), is_wrapped), begins);
      },
      nb::arg("block"), nb::arg("begins"), nb::arg("words"), nb::arg("is_wrapped") = nb::none());

  nb::class_<PyBatch>(m, "Batch", "Records, for consumers of Arrow.")
      .def("__arrow_c_stream__", &stream_capsule, nb::arg("requested_schema") = nb::none())
      .def_prop_ro("rows", [](const PyBatch& self) { return self.batch->rows(); });

  nb::class_<locard::Templates>(m, "Templates", "Message templates, mined from messages one by one.")
      .def(
          "__init__",
          [](locard::Templates* self, bool plain) {
            new (self) locard::Templates(plain ? locard::plain_masker() : locard::fastest_masker());
          },
          nb::kw_only(), nb::arg("plain") = false)
      .def("add", [](locard::Templates& self, nb::bytes message) { return self.add({message.c_str(), message.size()}); },
           nb::arg("message"))
      .def("add", [](locard::Templates& self, const std::string& message) { return self.add(message); },
           nb::arg("message"))
      .def("add_rows", &add_rows, nb::arg("rows"))
      .def("found", &template_list)
      .def("groups", &template_groups)
      .def_prop_ro("left_out", &locard::Templates::left_out);

  nb::class_<locard::Scanner>(m, "Scanner", "Reads newline-delimited JSON, block by block or a whole file.")
      .def(
          "__init__",
          [](locard::Scanner* self, std::size_t most_fields, int deepest, std::size_t sample_chars, bool hands_out,
             bool mines, std::vector<std::string> only, std::size_t threads, std::size_t few_texts, bool guesses, bool raws) {
            locard::Limits limits;
            limits.most_fields = most_fields;
            limits.deepest = deepest;
            limits.sample_chars = sample_chars;
            limits.hands_out = hands_out;
            limits.mines = mines;
            limits.only = std::move(only);
            limits.few_texts = few_texts;
            limits.guesses = guesses;
            limits.raws = raws;
            new (self) locard::Scanner(std::move(limits), threads);
          },
          nb::kw_only(), nb::arg("most_fields"), nb::arg("deepest"), nb::arg("sample_chars"),
          nb::arg("hands_out") = false, nb::arg("mines") = false, nb::arg("only") = std::vector<std::string>{},
          nb::arg("threads") = 1, nb::arg("few_texts") = locard::Column::kFew, nb::arg("guesses") = true, nb::arg("raws") = false)
      .def("read", &read_block, nb::arg("block"))
      .def("scan", &scan_file, nb::arg("file"), nb::arg("offset"), nb::arg("end"), nb::arg("most"), nb::arg("words"),
           nb::arg("is_wrapped") = nb::none())
      .def("read_records", &read_records, nb::arg("records"))
      .def("take", &take_batch)
      .def_prop_ro("pending", &locard::Scanner::pending)
      .def("text", [](const locard::Scanner& self) { return PyBatch{self.text()}; })
      .def("templates", [](const locard::Scanner& self) { return template_list(self.templates()); })
      .def("template_groups", [](const locard::Scanner& self) { return template_groups(self.templates()); })
      .def("dictionary", [](const locard::Scanner& self, std::size_t field) { return texts_of(field_at(self, field).dictionary); },
           nb::arg("field"))
      .def("endpoints", [](const locard::Scanner& self, std::size_t field) { return texts_of(field_at(self, field).endpoints); },
           nb::arg("field"))
      // How many values a field has, and number of the line and text of some of them.
      .def(
          "values",
          [](const locard::Scanner& self, std::size_t field) {
            const auto& found = field_at(self, field);
            return std::pair(found.values, found.samples);
          },
          nb::arg("field"))
      .def(
          "sketch",
          [](const locard::Scanner& self, std::size_t field) {
            field_at(self, field);
            const locard::Sketch sketch = self.sketch(field);
            return std::pair(sketch.distinct(), sketch.frequent());
          },
          nb::arg("field"))
      .def_prop_ro("lines", &locard::Scanner::lines)
      .def_prop_ro("records", &locard::Scanner::records)
      .def_prop_ro("places",
                   [](const locard::Scanner& self) {
                     nb::list out;
                     for (const auto& [line, lines, offset, size] : self.places()) out.append(nb::make_tuple(line, lines, offset, size));
                     return out;
                   })
      .def_prop_ro("first_odd", &locard::Scanner::first_odd)
      .def_prop_ro("keys", &locard::Scanner::keys)
      .def_prop_ro("guessed", &locard::Scanner::guessed)
      .def_prop_ro("skipped", &skipped_lines)
      .def_prop_ro("fields", &field_list)
      .def_prop_ro("fields_left_out", &locard::Scanner::fields_left_out);
}
