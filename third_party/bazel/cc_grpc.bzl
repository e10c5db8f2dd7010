"""cc_grpc_library: .proto -> C++ messages and gRPC stubs, with the system protoc."""

ProtoSourcesInfo = provider(
    doc = "The .proto files of a target and of everything it imports.",
    fields = {"transitive": "depset of File"},
)

def _cc_proto_gen_impl(ctx):
    transitive = depset(
        direct = ctx.files.srcs,
        transitive = [d[ProtoSourcesInfo].transitive for d in ctx.attr.deps],
    )
    root = ctx.attr.import_root
    prefix = root + "/" if root else ""
    out_root = ctx.bin_dir.path + ("/" + root if root else "")
    hdrs = []
    srcs = []
    for src in ctx.files.srcs:
        if not src.short_path.startswith(prefix):
            fail("%s is not under import_root %s" % (src.short_path, root))

        # Outputs are declared relative to this package.
        stem = src.short_path[len(ctx.label.package) + 1 if ctx.label.package else 0:-len(".proto")]
        h = ctx.actions.declare_file(stem + ".pb.h")
        c = ctx.actions.declare_file(stem + ".pb.cc")
        outs = [h, c]
        hdrs.append(h)
        srcs.append(c)
        args = ctx.actions.args()
        args.add("--proto_path=" + (root if root else "."))
        args.add("--cpp_out=" + out_root)
        tools = [ctx.executable._protoc]
        if ctx.attr.grpc:
            gh = ctx.actions.declare_file(stem + ".grpc.pb.h")
            gc = ctx.actions.declare_file(stem + ".grpc.pb.cc")
            outs += [gh, gc]
            hdrs.append(gh)
            srcs.append(gc)
            args.add("--plugin=protoc-gen-grpc=" + ctx.executable._grpc_plugin.path)
            args.add("--grpc_out=" + ("generate_mock_code=true:" if ctx.attr.mock else "") + out_root)
            tools.append(ctx.executable._grpc_plugin)
            if ctx.attr.mock:
                gm = ctx.actions.declare_file(stem + "_mock.grpc.pb.h")
                outs.append(gm)
                hdrs.append(gm)
        args.add(src.short_path[len(prefix):])
        ctx.actions.run(
            executable = ctx.executable._protoc,
            arguments = [args],
            inputs = transitive,
            outputs = outs,
            tools = tools,
            mnemonic = "CcGrpcGen",
            progress_message = "Generating C++ from %s" % src.short_path,
        )
    compilation_context = cc_common.create_compilation_context(
        headers = depset(hdrs),
        # -isystem: `#include "kv/v1/kv.pb.h"` works and warnings in it are not ours.
        system_includes = depset([out_root]),
    )
    return [
        CcInfo(compilation_context = compilation_context),
        DefaultInfo(files = depset(hdrs + srcs)),
        OutputGroupInfo(hdrs = depset(hdrs), srcs = depset(srcs)),
        ProtoSourcesInfo(transitive = transitive),
    ]

_cc_proto_gen = rule(
    implementation = _cc_proto_gen_impl,
    attrs = {
        "srcs": attr.label_list(allow_files = [".proto"], mandatory = True),
        "deps": attr.label_list(providers = [ProtoSourcesInfo]),
        "import_root": attr.string(),
        "grpc": attr.bool(),
        "mock": attr.bool(),
        "_protoc": attr.label(
            default = "@system//:protoc",
            allow_single_file = True,
            executable = True,
            cfg = "exec",
        ),
        "_grpc_plugin": attr.label(
            default = "@system//:grpc_cpp_plugin",
            allow_single_file = True,
            executable = True,
            cfg = "exec",
        ),
    },
)

def cc_grpc_library(name, srcs, deps = [], import_root = "proto", grpc = True, mock = False, lite = False, **kwargs):
    """A cc_library of the C++ generated from srcs.

    Args:
      name: name of the cc_library.
      srcs: .proto files of this package.
      deps: other cc_grpc_library targets whose .proto files srcs import.
      import_root: workspace directory that proto imports are relative to.
      grpc: also generate service stubs.
      mock: also generate gmock stubs (*_mock.grpc.pb.h).
      lite: the messages need only protobuf's lite runtime. It is left to whoever links: a program
        must have one of @system//:protobuf and @system//:protobuf_lite, never both.
      **kwargs: passed to the cc_library.
    """
    gen = name + "_gen"
    _cc_proto_gen(
        name = gen,
        srcs = srcs,
        deps = [d + "_gen" for d in deps],
        import_root = import_root,
        grpc = grpc,
        mock = mock,
        visibility = kwargs.get("visibility"),
    )
    native.filegroup(name = name + "_hdrs", srcs = [gen], output_group = "hdrs")
    native.filegroup(name = name + "_srcs", srcs = [gen], output_group = "srcs")
    native.cc_library(
        name = name,
        srcs = [name + "_srcs"],
        hdrs = [name + "_hdrs"],
        # Generated code is not ours to lint.
        copts = ["-w"],
        deps = deps + [gen] + ([] if lite else ["@system//:grpc++" if grpc else "@system//:protobuf"]),
        **kwargs
    )
