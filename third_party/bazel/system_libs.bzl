"""system_libs: a repository of C++ libraries and tools installed by apt.

Link flags come from pkg-config, so library names follow the Debian release. If
anything is missing, the build stops with the apt command that installs it.
Headers are in /usr/include, where the compiler looks by itself.
"""

def _system_libs_impl(ctx):
    missing = {}
    lines = ["package(default_visibility = [\"//visibility:public\"])", ""]

    for tool, package in ctx.attr.tools.items():
        path = ctx.which(tool)
        if path:
            ctx.symlink(path, tool)
            lines.append("exports_files([%r])" % tool)
        else:
            missing[package] = True

    pkg_config = ctx.which("pkg-config")
    if not pkg_config:
        missing["pkg-config"] = True
    for name, spec in ctx.attr.libs.items():
        modules = [s for s in spec[1:] if not s.startswith("-")]
        linkopts = [s for s in spec[1:] if s.startswith("-")]
        if not pkg_config:
            missing[spec[0]] = True
            continue
        libs = ctx.execute([pkg_config, "--libs"] + modules)
        version = ctx.execute([pkg_config, "--modversion", modules[0]])
        if libs.return_code or version.return_code:
            missing[spec[0]] = True
            continue
        linkopts += [f for f in libs.stdout.strip().split(" ") if f]
        macro = "SYSTEM_%s_VERSION" % name.upper().replace("+", "P")
        lines += [
            "cc_library(",
            "    name = %r," % name,
            # So that dependents are rebuilt when apt changes the version.
            "    defines = [%r]," % ("%s=%s" % (macro, version.stdout.strip())),
            # A binary records only the libraries it uses.
            "    linkopts = %r," % (["-Wl,--push-state,--as-needed"] + linkopts + ["-Wl,--pop-state"]),
            ")",
            "",
        ]
    if missing:
        fail("\n\nMissing Debian packages; run:\n\n  apt-get install %s\n" % " ".join(missing.keys()))
    ctx.file("BUILD.bazel", "\n".join(lines))

system_libs = repository_rule(
    implementation = _system_libs_impl,
    attrs = {
        "libs": attr.string_list_dict(doc = "target: [Debian package, pkg-config module or -l flag...]"),
        "tools": attr.string_dict(doc = "executable: Debian package"),
    },
    configure = True,
    environ = [
        "PATH",
        "PKG_CONFIG_PATH",
    ],
    local = True,
)
