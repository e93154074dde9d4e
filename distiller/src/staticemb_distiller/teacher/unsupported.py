"""The signal that this package cannot run a teacher."""

from ..errors import TeacherError


class UnsupportedModuleError(TeacherError):
    """A teacher has a module that only another package can run. `Teacher.load` tries that next."""
